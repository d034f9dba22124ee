with

arrondissements as (

    select * from {{ ref('stg_opendata_paris__arrondissements') }}
    where insee_code is not null

),

final as (

    select
        insee_code,
        polygon_number,
        ring_number,
        edge_number,
        longitude_a,
        latitude_a,
        longitude_b,
        latitude_b
    from {{ geojson_edges('arrondissements', ['insee_code'], 'boundary_geojson') }}
    -- an outline with a point outside France is none: longitudes and latitudes exchanged, say
    qualify
        min(latitude_a) over (partition by insee_code) >= 41
        and max(latitude_a) over (partition by insee_code) <= 52

)

select * from final
