{#- A degree of latitude in metres, and of longitude at 49° N, where Paris lies. -#}
{%- set m_per_latitude = 111195 -%}
{%- set m_per_longitude = 72950 -%}
{%- set tolerance_m = var('place_tolerance_m') -%}

with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

edges as (

    select * from {{ ref('int_arrondissement__edges') }}

),

places as (

    select distinct
        longitude,
        latitude
    from colleges
    where longitude is not null and latitude is not null

),

boxes as (

    select
        insee_code,
        min(longitude_a) - {{ tolerance_m }} / {{ m_per_longitude }}.0 as west,
        max(longitude_a) + {{ tolerance_m }} / {{ m_per_longitude }}.0 as east,
        min(latitude_a) - {{ tolerance_m }} / {{ m_per_latitude }}.0 as south,
        max(latitude_a) + {{ tolerance_m }} / {{ m_per_latitude }}.0 as north
    from edges
    group by insee_code

),

-- in metres, from the place: the edge's start, and the way along it
around as (

    select
        places.longitude,
        places.latitude,
        edges.insee_code,
        (edges.longitude_a - places.longitude) * {{ m_per_longitude }} as start_x,
        (edges.latitude_a - places.latitude) * {{ m_per_latitude }} as start_y,
        (edges.longitude_b - edges.longitude_a) * {{ m_per_longitude }} as along_x,
        (edges.latitude_b - edges.latitude_a) * {{ m_per_latitude }} as along_y
    from places
    inner join boxes
        on
            places.longitude between boxes.west and boxes.east
            and places.latitude between boxes.south and boxes.north
    inner join edges
        on boxes.insee_code = edges.insee_code

),

-- Even and odd: a ray to the east leaves an outline once more often than it enters it.
-- `along_share` is how far along the edge its nearest point to the place lies.
measured as (

    select
        longitude,
        latitude,
        insee_code,
        start_x,
        start_y,
        along_x,
        along_y,
        case
            when
                (start_y > 0) <> (start_y + along_y > 0)
                and start_x - start_y * along_x / along_y > 0
                then 1
            else 0
        end as crossings,
        coalesce(
            least(
                1.0,
                greatest(
                    0.0,
                    -(start_x * along_x + start_y * along_y)
                    / nullif(along_x * along_x + along_y * along_y, 0)
                )
            ),
            0.0
        ) as along_share
    from around

),

summed as (

    select
        longitude,
        latitude,
        insee_code,
        mod(sum(crossings), 2) = 1 as is_inside,
        sqrt(min(
            power(start_x + along_share * along_x, 2)
            + power(start_y + along_share * along_y, 2)
        )) as outline_m
    from measured
    group by longitude, latitude, insee_code

),

final as (

    select
        longitude,
        latitude,
        insee_code,
        is_inside
    from summed
    where is_inside or outline_m <= {{ tolerance_m }}

)

select * from final
