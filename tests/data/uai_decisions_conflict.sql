-- Decisions that in one school year give one collège two UAI, or one UAI to two collèges.
with

decisions as (

    select * from {{ ref('uai_decisions') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

decided as (

    select distinct
        school_years.college_id,
        coalesce(decisions.uai, 'none') as uai,
        coalesce({{ school_year_first_start('decisions.first_school_year') }}, 0) as first_start,
        coalesce({{ school_year_first_start('decisions.last_school_year') }}, 9999) as last_start
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code

)

select
    decided.college_id,
    decided.uai,
    rival.college_id as rival_college_id,
    rival.uai as rival_uai
from decided
inner join decided as rival
    on
        decided.first_start <= rival.last_start
        and decided.last_start >= rival.first_start
where
    (decided.college_id = rival.college_id and decided.uai <> rival.uai)
    or (
        decided.uai = rival.uai
        and decided.uai <> 'none'
        and decided.college_id <> rival.college_id
    )
