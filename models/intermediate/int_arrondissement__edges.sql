with

arrondissements as (

    select * from {{ ref('stg_opendata_paris__arrondissements') }}

),

-- A GeoJSON text of rings, each of which ends in two brackets: [[[x,y],[x,y]],[[x,y],[x,y]]]
outlines as (

    select
        insee_code,
        replace(
            replace({{ replace_pattern('boundary_geojson', '^[^[]*', '') }}, ' ', ''), ']]', ']|'
        ) as rings
    from arrondissements
    where boundary_geojson is not null and insee_code is not null

),

rings as (

    select
        insee_code,
        part_number as ring_number,
        replace(part, '],[', ';') as points
    from {{ split_to_rows('outlines', ['insee_code'], 'rings', '|') }}

),

points as (

    select
        insee_code,
        ring_number,
        part_number as point_number,
        {{ replace_pattern('part', '^[^0-9-]+', '') }} as coordinate_pair
    from {{ split_to_rows('rings', ['insee_code', 'ring_number'], 'points', ';') }}

),

coordinates as (

    select
        insee_code,
        ring_number,
        point_number,
        try_cast(split_part(coordinate_pair, ',', 1) as double) as longitude,
        try_cast(
            {{ replace_pattern("split_part(coordinate_pair, ',', 2)", '[^0-9]+$', '') }} as double
        ) as latitude
    from points

),

edges as (

    select
        insee_code,
        ring_number,
        row_number() over (
            partition by insee_code, ring_number order by point_number
        ) as edge_number,
        longitude as from_longitude,
        latitude as from_latitude,
        lead(longitude) over (
            partition by insee_code, ring_number order by point_number
        ) as to_longitude,
        lead(latitude) over (
            partition by insee_code, ring_number order by point_number
        ) as to_latitude
    from coordinates
    where longitude is not null and latitude is not null

),

final as (

    select
        insee_code,
        ring_number,
        edge_number,
        from_longitude,
        from_latitude,
        to_longitude,
        to_latitude
    from edges
    where to_longitude is not null

)

select * from final
