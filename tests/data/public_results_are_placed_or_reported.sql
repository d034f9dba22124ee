-- Every public result and IPS is in its fact or in the report, once; the newer of two series stands
-- for both. One of a session that cannot be read is in rpt_value_left_out.
with

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

results as (

    select * from {{ ref('fct_college_result') }}

),

positions as (

    select * from {{ ref('fct_college_social_position') }}

),

report as (

    select * from {{ ref('rpt_record_without_college') }}

),

published as (

    select
        'result' as fact,
        uai,
        session - 1 as school_year_start,
        is_public
    from ivac
    union all
    select
        'position' as fact,
        uai,
        school_year_start,
        is_public
    from ips_ap2022
    union all
    select
        'position' as fact,
        uai,
        school_year_start,
        is_public
    from ips_ap2023

),

expected as (

    select distinct
        fact,
        uai,
        {{ school_year_name('school_year_start') }} as school_year
    from published
    where coalesce(is_public, true) and school_year_start is not null

),

found as (

    select
        'result' as fact,
        uai,
        school_year
    from results
    union all
    select
        'position' as fact,
        uai,
        school_year
    from positions
    union all
    select
        case
            when dataset = 'fr-en-indicateurs-valeur-ajoutee-colleges' then 'result'
            else 'position'
        end as fact,
        uai,
        school_year
    from report
    where uai is not null

),

counted as (

    select
        fact,
        uai,
        school_year,
        count(*) as times
    from found
    group by fact, uai, school_year

)

select
    expected.fact,
    expected.uai,
    expected.school_year,
    coalesce(counted.times, 0) as times
from expected
left join counted
    on
        expected.fact = counted.fact
        and expected.uai = counted.uai
        and expected.school_year = counted.school_year
where coalesce(counted.times, 0) <> 1
