with

source as (

    select *
    from {{ source_or_empty(
        'education_nationale',
        'fr_en_adresse_et_geolocalisation_etablissements_premier_et_second_degre'
    ) }}

),

typed as (

    select
        record_key,
        run_sequence,
        upper({{ json_text('payload', 'numero_uai') }}) as uai,
        {{ json_text('payload', 'appellation_officielle') }} as official_name,
        {{ json_text('payload', 'patronyme_uai') }} as patronym,
        {{ json_code('payload', 'code_commune') }} as insee_code
    from source
    where not is_withdrawn

),

final as (

    select
        uai,
        official_name,
        patronym,
        insee_code,
        max(run_sequence) as run_sequence
    from typed
    where uai is not null
    group by uai, official_name, patronym, insee_code

)

select * from final
