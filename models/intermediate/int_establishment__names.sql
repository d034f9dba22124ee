with

entries as (

    select * from {{ ref('int_establishment__entries') }}

),

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

establishment_names as (

    select * from {{ ref('stg_education_nationale__establishment_names') }}

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

-- The directory forgets its former names, and the ministry's results keep some that it never had.
spellings as (

    {% for names, is_current in [('establishments', 1), ('establishment_names', 0)] -%}
    {% for name in ['patronym', 'official_name'] -%}
    select
        uai,
        insee_code,
        {{ directory_name_key(normalise_name(name)) }} as spelling,
        {{ is_current }} as is_current
    from {{ names }}
    union all
    {% endfor -%}
    {% endfor -%}
    {% for results in ['ivac', 'ips_ap2022', 'ips_ap2023'] -%}
    select
        uai,
        cast(null as varchar) as insee_code,
        {{ directory_name_key(normalise_name('establishment_name')) }} as spelling,
        0 as is_current
    from {{ results }}
    {{- '\n    union all' if not loop.last }}
    {% endfor %}
),

final as (

    select
        entries.uai,
        coalesce(spellings.insee_code, entries.insee_code) as insee_code,
        spellings.spelling,
        max(spellings.is_current) as is_current
    from spellings
    inner join entries
        on spellings.uai = entries.uai
    where spellings.spelling is not null
    group by entries.uai, coalesce(spellings.insee_code, entries.insee_code), spellings.spelling

)

select * from final
