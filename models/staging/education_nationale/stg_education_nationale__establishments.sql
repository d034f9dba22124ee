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

typed as (

    select
        payload,
        record_key,
        run_sequence,
        {{ json_text('payload', 'numero_uai') }} as uai,
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
        coalesce(
            {{ json_number('payload', 'longitude') }},
            {{ json_number('payload', 'position.lon') }}
        ) as longitude,
        coalesce(
            {{ json_number('payload', 'latitude') }},
            {{ json_number('payload', 'position.lat') }}
        ) as latitude,
        {{ json_text('payload', 'localisation') }} as location_precision,
        {{ json_code('payload', 'nature_uai') }} as nature_code,
        {{ json_text('payload', 'nature_uai_libe') }} as nature_label,
        {{ json_code('payload', 'etat_etablissement') }} as status_code,
        {{ json_text('payload', 'etat_etablissement_libe') }} as status_label,
        {{ json_code('payload', 'secteur_prive_code_type_contrat') }} as contract_code,
        -- dates of opening reach 2099: they are the ministry's word, not a fact
        {{ to_date_or_null(json_text('payload', 'date_ouverture')) }} as opened_on,
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
        official_name,
        denomination,
        patronym,
        sector_label,
        is_public,
        address,
        postal_code,
        insee_code,
        commune_name,
        department_code,
        longitude,
        latitude,
        location_precision,
        nature_code,
        nature_label,
        status_code,
        status_label,
        contract_code,
        opened_on,
        {{ unread_values('payload', {
            'is_public': 'secteur_public_prive_libe',
            'longitude': 'longitude',
            'latitude': 'latitude',
            'opened_on': 'date_ouverture',
        }) | indent(8) }} as unread_values,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
