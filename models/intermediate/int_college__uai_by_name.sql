with

college_names as (

    select * from {{ ref('int_college__names') }}

),

establishment_names as (

    select * from {{ ref('int_establishment__names') }}

),

final as (

    select
        college_names.college_id,
        establishment_names.uai,
        case
            when max(college_names.is_current * establishment_names.is_current) = 1
                then 'name_and_insee'
            else 'former_name_and_insee'
        end as uai_match_method
    from college_names
    inner join establishment_names
        on
            college_names.spelling = establishment_names.spelling
            and college_names.insee_code = establishment_names.insee_code
    group by college_names.college_id, establishment_names.uai

)

select * from final
