with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

sectors as (

    select * from {{ ref('stg_opendata_paris__sectors') }}

),

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

school_year_starts as (

    select first_school_year_start as school_year_start from colleges
    union all
    select last_school_year_start as school_year_start from colleges
    union all
    select first_school_year_start as school_year_start from sectors
    union all
    select last_school_year_start as school_year_start from sectors
    union all
    -- the session of 2023 closes the school year 2022-2023
    select session - 1 as school_year_start from ivac
    union all
    select school_year_start from ips_ap2022
    union all
    select school_year_start from ips_ap2023

),

bounds as (

    select
        min(school_year_start) as first_start,
        max(school_year_start) as last_start
    from school_year_starts

),

latest_of_colleges as (

    select max(last_school_year_start) as last_start from colleges

),

digits as (

    {% for digit in range(10) -%}
    select {{ digit }} as digit{{ ' union all' if not loop.last }}
    {% endfor %}
),

offsets as (

    select tens.digit * 10 + ones.digit as years
    from digits as tens
    cross join digits as ones

),

final as (

    select
        cast(bounds.first_start + offsets.years as integer) as school_year_start,
        {{ school_year_name('cast(bounds.first_start + offsets.years as integer)') }}
            as school_year,
        coalesce(
            bounds.first_start + offsets.years = latest_of_colleges.last_start, false
        ) as is_current
    from bounds
    inner join offsets
        on bounds.first_start + offsets.years <= bounds.last_start
    cross join latest_of_colleges

)

select * from final
