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

records as (

    select
        'ivac' as source_name,
        uai,
        session - 1 as school_year_start,
        establishment_name,
        insee_code,
        is_public,
        is_withdrawn
    from ivac

    {% for series in ['ips_ap2022', 'ips_ap2023'] -%}
    union all

    select
        'ips' as source_name,
        uai,
        school_year_start,
        establishment_name,
        insee_code,
        is_public,
        is_withdrawn
    from {{ series }}
    {% endfor %}
),

named as (

    select
        *,
        coalesce({{ directory_name_key(normalise_name('establishment_name')) }}, '') as label_key
    from records
    -- where a record does not say whether it is private, it is not left out
    where uai is not null and school_year_start is not null and coalesce(is_public, true)

),

final as (

    select
        source_name,
        uai,
        school_year_start,
        label_key,
        max(insee_code) as insee_code,
        min(case when is_withdrawn then 1 else 0 end) = 1 as is_withdrawn
    from named
    group by source_name, uai, school_year_start, label_key

)

select * from final
