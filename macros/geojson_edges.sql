{#
    The edges of a GeoJSON Polygon or MultiPolygon, one row each: the columns named, `polygon_number`,
    `ring_number` and `edge_number` as geojson_vertices counts them, and the two ends of the edge,
    `longitude_a`, `latitude_a`, `longitude_b` and `latitude_b`. GeoJSON repeats the first vertex of
    a ring as its last, from which no edge starts.

    relation: with those columns and the GeoJSON text
    columns: list of column names to keep
    geojson: name of the text column
#}
{% macro geojson_edges(relation, columns, geojson) -%}
    {%- set ring = columns | join(', ') ~ ', polygon_number, ring_number' -%}
    (
        select
            {{ columns | join(', ') }},
            cast(polygon_number as integer) as polygon_number,
            cast(ring_number as integer) as ring_number,
            cast(vertex_number as integer) as edge_number,
            longitude as longitude_a,
            latitude as latitude_a,
            lead(longitude) over (
                partition by {{ ring }} order by vertex_number
            ) as longitude_b,
            lead(latitude) over (
                partition by {{ ring }} order by vertex_number
            ) as latitude_b
        from {{ geojson_vertices(relation, columns, geojson) | indent(8) }}
        qualify lead(longitude) over (
            partition by {{ ring }} order by vertex_number
        ) is not null
    ) as geojson_edges
{%- endmacro %}
