with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

-- every name a collège ever had: the directory keeps old ones
college_names as (

    select distinct
        college_id,
        name_key,
        insee_code
    from school_years

),

public_establishments as (

    select
        uai,
        insee_code,
        {{ normalise_name('patronym') }} as name_key
    from establishments
    where is_public

),

same_name_and_insee as (

    select distinct
        college_names.college_id,
        public_establishments.uai
    from college_names
    inner join public_establishments
        on
            college_names.name_key = public_establishments.name_key
            and college_names.insee_code = public_establishments.insee_code

),

one_to_one as (

    select
        college_id,
        uai
    from same_name_and_insee
    qualify
        count(*) over (partition by college_id) = 1
        and count(*) over (partition by uai) = 1

),

final as (

    select
        college_id,
        uai,
        'name_and_insee' as uai_match_method
    from one_to_one

)

select * from final
