with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

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

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

street_ranges as (

    select * from {{ ref('stg_education_nationale__street_ranges') }}

),

final as (

    {% for dataset, relation in {
        'fr-en-indicateurs-valeur-ajoutee-colleges': 'ivac',
        'fr-en-ips-colleges-ap2022': 'ips_ap2022',
        'fr-en-ips-colleges-ap2023': 'ips_ap2023',
        'fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre':
            'establishments',
        'fr-en-carte-scolaire-colleges-publics': 'street_ranges',
    }.items() -%}
    select
        '{{ dataset }}' as dataset,
        record_key,
        'not_read' as reason,
        unread_values as published_values,
        is_withdrawn
    from {{ relation }}
    where unread_values is not null

    union all

    {% endfor -%}
    select
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        record_key,
        'out_of_range' as reason,
        values_out_of_range as published_values,
        is_withdrawn
    from exam_sessions
    where values_out_of_range is not null

    union all

    select
        'fr-en-ips-colleges-' || series as dataset,
        record_key,
        'out_of_range' as reason,
        values_out_of_range as published_values,
        is_withdrawn
    from social_positions
    where values_out_of_range is not null

)

select * from final
