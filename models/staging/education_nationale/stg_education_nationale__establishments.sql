{#- A position outside the mainland of France is none: longitude and latitude exchanged, say. -#}
{%- set longitude -%}
    coalesce(
            {{ in_range(json_number('payload', 'longitude'), [-6, 10]) }},
            {{ in_range(json_number('payload', 'position.lon'), [-6, 10]) }}
        )
{%- endset -%}
{%- set latitude -%}
    coalesce(
            {{ in_range(json_number('payload', 'latitude'), [41, 52]) }},
            {{ in_range(json_number('payload', 'position.lat'), [41, 52]) }}
        )
{%- endset -%}

with

source as (

    select *
    from {{ source_or_empty(
        'education_nationale',
        'fr_en_adresse_et_geolocalisation_etablissements_premier_et_second_degre'
    ) }}

),

latest as (

    select * from {{ latest_records('source') }}

),

positions as (

    select
        record_key,
        run_sequence,
        {{ normalise_address(json_text('payload', 'adresse_uai')) }} as address_key,
        {{ longitude }} as longitude,
        {{ latitude }} as latitude
    from source
    where not is_withdrawn

),

-- An establishment does not lose its place because its entry does, unless its address changed.
last_positions as (

    select *
    from positions
    where longitude is not null and latitude is not null
    qualify row_number() over (partition by record_key order by run_sequence desc) = 1

),

typed as (

    select
        payload,
        record_key,
        run_sequence,
        upper({{ json_text('payload', 'numero_uai') }}) as uai,
        {{ json_text('payload', 'appellation_officielle') }} as official_name,
        {{ json_text('payload', 'denomination_principale') }} as denomination,
        {{ json_text('payload', 'patronyme_uai') }} as patronym,
        {{ json_text('payload', 'secteur_public_prive_libe') }} as sector_label,
        {{ sector_is_public(json_text('payload', 'secteur_public_prive_libe')) }} as is_public,
        {{ json_text('payload', 'adresse_uai') }} as address,
        {{ json_code('payload', 'code_postal_uai') }} as postal_code,
        {{ json_code('payload', 'code_commune') }} as insee_code,
        {{ json_text('payload', 'libelle_commune') }} as commune_name,
        {{ json_code('payload', 'code_departement') }} as department_code,
        {{ longitude }} as longitude,
        {{ latitude }} as latitude,
        {{ json_text('payload', 'localisation') }} as location_precision,
        {{ json_code('payload', 'nature_uai') }} as nature_code,
        {{ json_text('payload', 'nature_uai_libe') }} as nature_label,
        {{ json_code('payload', 'etat_etablissement') }} as status_code,
        {{ json_text('payload', 'etat_etablissement_libe') }} as status_label,
        {{ json_code('payload', 'secteur_prive_code_type_contrat') }} as contract_code,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        typed.record_key,
        typed.run_sequence,
        typed.uai,
        typed.official_name,
        typed.denomination,
        typed.patronym,
        typed.sector_label,
        typed.is_public,
        typed.address,
        typed.postal_code,
        typed.insee_code,
        typed.commune_name,
        typed.department_code,
        last_positions.longitude,
        last_positions.latitude,
        typed.location_precision,
        typed.nature_code,
        typed.nature_label,
        typed.status_code,
        typed.status_label,
        typed.contract_code,
        {{ unread_values('typed.payload', {
            'typed.is_public': 'secteur_public_prive_libe',
            'typed.longitude': ['longitude', 'position.lon'],
            'typed.latitude': ['latitude', 'position.lat'],
        }) | indent(8) }} as unread_values,
        typed.is_withdrawn,
        typed.extracted_at,
        typed.withdrawn_at
    from typed
    left join last_positions
        on
            typed.record_key = last_positions.record_key
            and (
                typed.run_sequence = last_positions.run_sequence
                or {{ normalise_address('typed.address') }} = last_positions.address_key
            )

)

select * from final
