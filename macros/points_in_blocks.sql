{#
    Which city blocks of the sectors' outlines a point lies in: `point_key`, `school_year_start`,
    `sector_key`, `polygon_number`, a row for each block that contains it, usually one or none.

    Even-odd: a ray to the east crosses the outline and the holes of its block an odd number of
    times. An edge counts where one end lies above the point and the other does not, so that a ray
    through a vertex crosses once. Bands first, an equality that both engines hash by, then boxes,
    then edges.

    points: with point_key, school_year_start (of the outlines to look in), longitude, latitude
    block_bands: int_sector__block_bands, or a CTE of it
    edges: int_sector__edges, or a CTE of it
#}
{% macro points_in_blocks(points, block_bands, edges) -%}
    (
        select
            candidates.point_key,
            candidates.school_year_start,
            candidates.sector_key,
            candidates.polygon_number
        from (
            select
                points.point_key,
                points.longitude,
                points.latitude,
                block_bands.school_year_start,
                block_bands.sector_key,
                block_bands.polygon_number
            from {{ points }} as points
            inner join {{ block_bands }} as block_bands
                on
                    points.school_year_start = block_bands.school_year_start
                    and {{ latitude_band('points.latitude') }} = block_bands.band
                    and points.latitude
                    between block_bands.min_latitude and block_bands.max_latitude
                    and points.longitude
                    between block_bands.min_longitude and block_bands.max_longitude
        ) as candidates
        inner join {{ edges }} as edges
            on
                candidates.school_year_start = edges.school_year_start
                and candidates.sector_key = edges.sector_key
                and candidates.polygon_number = edges.polygon_number
                and (candidates.latitude < edges.latitude_a)
                <> (candidates.latitude < edges.latitude_b)
                and candidates.longitude
                < (edges.longitude_b - edges.longitude_a)
                * (candidates.latitude - edges.latitude_a)
                / (edges.latitude_b - edges.latitude_a)
                + edges.longitude_a
        group by
            candidates.point_key,
            candidates.school_year_start,
            candidates.sector_key,
            candidates.polygon_number
        having mod(count(*), 2) = 1
    ) as points_in_blocks
{%- endmacro %}
