-- Decisions about a collège that is held, and a UAI that the directory does not have as a public
-- entry: they link nothing any more. Without a directory there is nothing to say.
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

decided as (

    select distinct
        school_years.college_id,
        decisions.college_name,
        decisions.uai
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code
    where decisions.uai is not null

)

select
    decided.college_id,
    decided.college_name,
    decided.uai
from decided
left join uai_links
    on
        decided.college_id = uai_links.college_id
        and decided.uai = uai_links.uai
where
    uai_links.college_id is null
    and exists (select 1 from establishments)
