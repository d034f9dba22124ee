with

edges as (

    select * from {{ ref('int_sector__edges') }}

),

-- degrees of longitude narrow to the north: one factor for a block, which is small
boxes as (

    select
        sector_key,
        school_year_start,
        polygon_number,
        min(longitude_a) as min_longitude,
        max(longitude_a) as max_longitude,
        min(latitude_a) as min_latitude,
        max(latitude_a) as max_latitude,
        (min(latitude_a) + max(latitude_a)) / 2 as middle_latitude
    from edges
    group by sector_key, school_year_start, polygon_number

),

-- metres from the south-west corner of the box, so that no digits are lost
rings as (

    select
        boxes.sector_key,
        boxes.school_year_start,
        boxes.polygon_number,
        edges.ring_number,
        abs(sum(
            (edges.longitude_a - boxes.min_longitude) * (edges.latitude_b - boxes.min_latitude)
            - (edges.longitude_b - boxes.min_longitude) * (edges.latitude_a - boxes.min_latitude)
        )) / 2
        * cos(radians(max(boxes.middle_latitude)))
        * power(radians(1) * 6371.0088, 2) as ring_km2
    from boxes
    inner join edges
        on
            boxes.sector_key = edges.sector_key
            and boxes.school_year_start = edges.school_year_start
            and boxes.polygon_number = edges.polygon_number
    group by
        boxes.sector_key,
        boxes.school_year_start,
        boxes.polygon_number,
        edges.ring_number

),

areas as (

    select
        sector_key,
        school_year_start,
        polygon_number,
        sum(case when ring_number = 1 then ring_km2 else -ring_km2 end) as area_km2
    from rings
    group by sector_key, school_year_start, polygon_number

),

-- A point that is certainly inside: the middle of the widest stretch of the block on the parallel
-- half way up. A centroid may lie in a courtyard, or in the neighbouring block.
crossings as (

    select
        boxes.sector_key,
        boxes.school_year_start,
        boxes.polygon_number,
        (edges.longitude_b - edges.longitude_a)
        * (boxes.middle_latitude - edges.latitude_a)
        / (edges.latitude_b - edges.latitude_a)
        + edges.longitude_a as longitude
    from boxes
    inner join edges
        on
            boxes.sector_key = edges.sector_key
            and boxes.school_year_start = edges.school_year_start
            and boxes.polygon_number = edges.polygon_number
            and (boxes.middle_latitude < edges.latitude_a)
            <> (boxes.middle_latitude < edges.latitude_b)

),

stretches as (

    select
        sector_key,
        school_year_start,
        polygon_number,
        longitude as from_longitude,
        lead(longitude) over (
            partition by sector_key, school_year_start, polygon_number order by longitude
        ) as to_longitude,
        row_number() over (
            partition by sector_key, school_year_start, polygon_number order by longitude
        ) as crossing_number
    from crossings

),

inner_points as (

    select
        sector_key,
        school_year_start,
        polygon_number,
        (from_longitude + to_longitude) / 2 as longitude
    from stretches
    where mod(crossing_number, 2) = 1
    qualify
        row_number() over (
            partition by sector_key, school_year_start, polygon_number
            order by to_longitude - from_longitude desc nulls last, from_longitude asc
        ) = 1

),

final as (

    select
        boxes.sector_key,
        boxes.school_year_start,
        boxes.polygon_number,
        boxes.min_longitude,
        boxes.max_longitude,
        boxes.min_latitude,
        boxes.max_latitude,
        inner_points.longitude,
        boxes.middle_latitude as latitude,
        round(areas.area_km2, 6) as area_km2
    from boxes
    inner join areas
        on
            boxes.sector_key = areas.sector_key
            and boxes.school_year_start = areas.school_year_start
            and boxes.polygon_number = areas.polygon_number
    -- a block without extent has no inside
    inner join inner_points
        on
            boxes.sector_key = inner_points.sector_key
            and boxes.school_year_start = inner_points.school_year_start
            and boxes.polygon_number = inner_points.polygon_number

)

select * from final
