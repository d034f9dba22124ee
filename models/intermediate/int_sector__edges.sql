with

sectors as (

    select * from {{ ref('int_sector__school_years') }}
    where not is_replaced

),

final as (

    select
        sector_key,
        school_year_start,
        polygon_number,
        ring_number,
        edge_number,
        longitude_a,
        latitude_a,
        longitude_b,
        latitude_b
    from {{ geojson_edges('sectors', ['sector_key', 'school_year_start'], 'boundary_geojson') }}

)

select * from final
