with

source as (

    select * from {{ source_or_empty('opendata_paris', 'arrondissements') }}

),

latest as (

    select * from {{ latest_records('source') }}

),

final as (

    select
        record_key,
        run_sequence,
        {{ json_integer('payload', 'c_ar') }} as arrondissement_number,
        {{ json_code('payload', 'c_arinsee') }} as insee_code,
        {{ json_text('payload', 'l_ar') }} as arrondissement_label,
        {{ json_text('payload', 'l_aroff') }} as arrondissement_name,
        {{ json_number('payload', 'surface') }} as area_m2,
        {{ json_number('payload', 'perimetre') }} as perimeter_m,
        {{ json_number('payload', 'geom_x_y.lon') }} as longitude,
        {{ json_number('payload', 'geom_x_y.lat') }} as latitude,
        {{ json_geometry('payload', 'geom') }} as boundary_geojson,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

)

select * from final
