{%- set numbers = {
    'ips': 'ips',
    'ips_stddev': 'ecart_type_de_l_ips',
} -%}
{%- set read = dict(
    numbers, school_year_start='rentree_scolaire', is_public='secteur', pupils='effectifs'
) -%}

with

source as (

    select *
    from {{ source_or_empty('education_nationale', 'fr_en_ips_colleges_ap2022') }}

),

latest as (

    select * from {{ latest_records('source') }}

),

typed as (

    select
        payload,
        record_key,
        run_sequence,
        upper({{ json_text('payload', 'uai') }}) as uai,
        {{ json_text('payload', 'rentree_scolaire') }} as school_year_label,
        {{ rentree_start(json_text('payload', 'rentree_scolaire'), 'extracted_at') }}
            as school_year_start,
        -- the portal's own spelling of the field
        {{ json_text('payload', 'nom_de_l_etablissment') }} as establishment_name,
        {{ json_code('payload', 'code_insee_de_la_commune') }} as insee_code,
        {{ json_text('payload', 'secteur') }} as sector_label,
        {{ sector_is_public(json_text('payload', 'secteur')) }} as is_public,
        {{ json_integer('payload', 'effectifs') }} as pupils,
        {% for column, field in numbers.items() -%}
        {{ json_number('payload', field) }} as {{ column }},
        {% endfor -%}
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        record_key,
        run_sequence,
        uai,
        school_year_label,
        school_year_start,
        establishment_name,
        insee_code,
        sector_label,
        is_public,
        pupils,
        ips,
        ips_stddev,
        {{ unread_values('payload', read) | indent(8) }} as unread_values,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
