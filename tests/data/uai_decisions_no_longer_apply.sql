-- Decisions about a collège that is held and a UAI that nothing knows any more: one that still
-- holds needs a public entry in the directory, one of past school years a result or an IPS under
-- its UAI. Without a directory, or without results, there is nothing to say.
with

decisions as (

    select * from {{ ref('uai_decisions') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

college_links as (

    select * from {{ ref('int_result__college_links') }}

),

decided as (

    select distinct
        school_years.college_id,
        decisions.college_name,
        decisions.uai,
        decisions.last_school_year
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code
    where decisions.uai is not null

),

applied as (

    select
        college_id,
        uai,
        'directory' as applied_to
    from uai_links
    union all
    select distinct
        college_id,
        uai,
        'results' as applied_to
    from college_links
    where college_id is not null

)

select
    decided.college_id,
    decided.college_name,
    decided.uai
from decided
left join applied
    on
        decided.college_id = applied.college_id
        and decided.uai = applied.uai
        and applied.applied_to
        = case when decided.last_school_year is null then 'directory' else 'results' end
where
    applied.college_id is null
    and case
        when decided.last_school_year is null then exists (select 1 from establishments)
        else exists (select 1 from college_links)
    end
