with

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

both_series as (

    select
        record_key,
        run_sequence,
        'ap2022' as series,
        uai,
        establishment_name,
        is_public,
        school_year_start,
        ips,
        ips_stddev,
        pupils,
        cast(null as double) as ips_national_public,
        cast(null as double) as ips_academy_public,
        cast(null as double) as ips_department_public,
        is_withdrawn,
        extracted_at
    from ips_ap2022

    union all

    select
        record_key,
        run_sequence,
        'ap2023' as series,
        uai,
        establishment_name,
        is_public,
        school_year_start,
        ips,
        ips_stddev,
        cast(null as integer) as pupils,
        ips_national_public,
        ips_academy_public,
        ips_department_public,
        is_withdrawn,
        extracted_at
    from ips_ap2023

),

-- The newer series has the last word about a rentrée, NA included: a value taken from the older one
-- would stand among values of another method.
deduplicated as (

    select *
    from both_series
    where uai is not null and school_year_start is not null
    qualify
        row_number() over (
            partition by uai, school_year_start
            order by series desc, is_withdrawn asc, run_sequence desc, record_key asc
        ) = 1

),

final as (

    select
        deduplicated.record_key,
        deduplicated.series,
        deduplicated.uai,
        uai_links.college_id,
        deduplicated.establishment_name,
        deduplicated.is_public,
        {{ school_year_name('deduplicated.school_year_start') }} as school_year,
        deduplicated.ips,
        deduplicated.ips_stddev,
        deduplicated.pupils,
        deduplicated.ips_national_public,
        deduplicated.ips_academy_public,
        deduplicated.ips_department_public,
        deduplicated.is_withdrawn,
        deduplicated.extracted_at
    from deduplicated
    left join uai_links
        on deduplicated.uai = uai_links.uai

)

select * from final
