with

source as (

    select * from {{ source_or_empty('opendata_paris', 'secteurs_scolaires_colleges') }}

),

latest as (

    select * from {{ latest_records('source') }}

),

typed as (

    select
        record_key,
        run_sequence,
        {{ json_text('payload', 'libelle') }} as sector_name,
        {{ json_text('payload', 'annee_scol') }} as school_year_label,
        case {{ json_code('payload', 'zone_commune') }}
            when '1' then true
            when '0' then false
        end as is_shared,
        {{ json_text('payload', 'etiquette') }} as sector_label,
        {{ json_text('payload', 'lib_etab_1') }} as college_name_1,
        {{ json_text('payload', 'lib_etab_2') }} as college_name_2,
        {{ json_text('payload', 'lib_etab_3') }} as college_name_3,
        {{ json_text('payload', 'lib_etab_4') }} as college_name_4,
        {{ json_text('payload', 'adr_etab_1') }} as college_address_1,
        {{ json_text('payload', 'adr_etab_2') }} as college_address_2,
        {{ json_text('payload', 'adr_etab_3') }} as college_address_3,
        {{ json_text('payload', 'adr_etab_4') }} as college_address_4,
        {{ json_number('payload', 'st_area_shape') }} as area_m2,
        {{ json_number('payload', 'st_perimeter_shape') }} as perimeter_m,
        {{ json_number('payload', 'geo_point_2d.lon') }} as longitude,
        {{ json_number('payload', 'geo_point_2d.lat') }} as latitude,
        {{ json_geometry('payload', 'geo_shape') }} as boundary_geojson,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        record_key,
        run_sequence,
        sector_name,
        school_year_label,
        {{ school_year_first_start('school_year_label') }} as first_school_year_start,
        {{ school_year_last_start('school_year_label') }} as last_school_year_start,
        is_shared,
        sector_label,
        college_name_1,
        college_name_2,
        college_name_3,
        college_name_4,
        college_address_1,
        college_address_2,
        college_address_3,
        college_address_4,
        area_m2,
        perimeter_m,
        longitude,
        latitude,
        boundary_geojson,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
