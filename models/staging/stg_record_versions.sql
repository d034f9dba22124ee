{#- A view: a table would be a second copy of raw, and of the changed records alone are the payloads
    read. -#}
{{ config(materialized='view') }}

{%- set tables = {
    'opendata_paris': [
        'etablissements_scolaires_colleges',
        'secteurs_scolaires_colleges',
        'arrondissements',
    ],
    'education_nationale': [
        'fr_en_adresse_et_geolocalisation_etablissements_premier_et_second_degre',
        'fr_en_indicateurs_valeur_ajoutee_colleges',
        'fr_en_ips_colleges_ap2022',
        'fr_en_ips_colleges_ap2023',
    ],
} %}

with

source as (

    {% for source_name, table_names in tables.items() -%}
    {% set outer = loop -%}
    {% for table_name in table_names -%}
    select
        '{{ table_name | replace("_", "-") }}' as dataset,
        record_key,
        run_sequence,
        content_hash,
        payload,
        is_withdrawn,
        extracted_at
    from {{ source_or_empty(source_name, table_name) }}
    {{ 'union all' if not (outer.last and loop.last) }}
    {% endfor -%}
    {% endfor %}
),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        content_hash,
        payload,
        is_withdrawn,
        extracted_at
    from source
    qualify
        row_number() over (
            partition by dataset, record_key, run_sequence order by is_withdrawn, content_hash
        ) = 1

)

select * from final
