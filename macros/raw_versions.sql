{#
    All rows of the raw tables of record versions, each with its dataset, as they stand there:
    nothing is left out.

    columns: names of version_columns
#}
{% macro raw_versions(columns) -%}

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
            'fr_en_carte_scolaire_colleges_publics',
        ],
    } -%}
    {%- for source_name, table_names in tables.items() -%}
    {%- set outer = loop -%}
    {%- for table_name in table_names %}
    select
        '{{ table_name | replace("_", "-") }}' as dataset,
        {{ columns | join(',\n        ') }}
    from {{ source_or_empty(source_name, table_name) }}
    {{ 'union all' if not (outer.last and loop.last) }}
    {%- endfor -%}
    {%- endfor -%}

{%- endmacro %}
