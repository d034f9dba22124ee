-- Decisions that give one collège two UAI, or one UAI to two collèges.
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
        coalesce(decisions.uai, 'none') as uai
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code

)

select
    college_id,
    uai
from decided
qualify
    count(*) over (partition by college_id) > 1
    or (uai <> 'none' and count(*) over (partition by uai) > 1)
