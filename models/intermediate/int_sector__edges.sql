with

sectors as (

    select * from {{ ref('int_sector__school_years') }}

),

vertices as (

    select *
    from {{ geojson_vertices('sectors', ['sector_key', 'school_year_start'], 'boundary_geojson') }}

),

final as (

    select
        sector_key,
        school_year_start,
        cast(polygon_number as integer) as polygon_number,
        cast(ring_number as integer) as ring_number,
        cast(vertex_number as integer) as edge_number,
        longitude as longitude_a,
        latitude as latitude_a,
        lead(longitude) over (
            partition by sector_key, school_year_start, polygon_number, ring_number
            order by vertex_number
        ) as longitude_b,
        lead(latitude) over (
            partition by sector_key, school_year_start, polygon_number, ring_number
            order by vertex_number
        ) as latitude_b
    from vertices
    -- GeoJSON repeats the first vertex of a ring as its last, from which no edge starts
    qualify
        lead(longitude) over (
            partition by sector_key, school_year_start, polygon_number, ring_number
            order by vertex_number
        ) is not null

)

select * from final
