with

source as (

    select *
    from {{ source_or_empty('opendata_paris', 'etablissements_scolaires_colleges') }}

),

typed as (

    select
        record_key,
        run_sequence,
        content_hash,
        is_withdrawn,
        extracted_at,
        {{ json_text('payload', 'libelle') }} as college_name,
        {{ json_text('payload', 'annee_scol') }} as school_year_label,
        {{ json_text('payload', 'adresse') }} as address,
        {{ json_code('payload', 'arr_insee') }} as arrondissement_code,
        {{ json_text('payload', 'arr_libelle') }} as arrondissement_label,
        {{ json_text('payload', 'type_etabl') }} as establishment_type,
        {{ json_text('payload', 'id_projet') }} as project_label,
        {{ json_longitude('payload', 'geo_shape', 'geo_point_2d') }} as longitude,
        {{ json_latitude('payload', 'geo_shape', 'geo_point_2d') }} as latitude
    from source

),

deduplicated as (

    select *
    from typed
    qualify
        row_number() over (
            partition by record_key, run_sequence order by is_withdrawn, content_hash
        ) = 1

),

final as (

    select
        record_key,
        run_sequence,
        content_hash,
        college_name,
        school_year_label,
        {{ school_year_first_start('school_year_label') }} as first_school_year_start,
        {{ school_year_last_start('school_year_label') }} as last_school_year_start,
        address,
        -- the label of the arrondissement stands in for a code that is missing
        coalesce(
            arrondissement_code,
            '751' || lpad({{ first_match('arrondissement_label', '[0-9]+') }}, 2, '0')
        ) as insee_code,
        arrondissement_code,
        arrondissement_label,
        establishment_type,
        project_label,
        longitude,
        latitude,
        is_withdrawn,
        extracted_at
    from deduplicated

)

select * from final
