with

verdicts as (

    select * from {{ ref('int_college__uai_verdicts') }}

),

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

final as (

    select
        verdicts.college_id,
        verdicts.uai,
        verdicts.uai_match_method,
        verdicts.uai_distance_m,
        establishments.official_name as directory_name
    from verdicts
    inner join establishments
        on verdicts.uai = establishments.uai
    where verdicts.verdict = 'linked'

)

select * from final
