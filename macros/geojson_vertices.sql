{#
    The vertices of a GeoJSON Polygon or MultiPolygon, one row each: the columns named,
    `polygon_number`, `ring_number` (1 is the outline, the others are holes), `vertex_number`, each
    from 1, `longitude` and `latitude`. A null or another kind of geometry gives no row.

    relation: with those columns and the GeoJSON text
    columns: list of column names to keep
    geojson: name of the text column
#}
{% macro geojson_vertices(relation, columns, geojson) -%}
    {{ return(adapter.dispatch('geojson_vertices', 'paris_colleges')(relation, columns, geojson)) }}
{%- endmacro %}

{#- unnest in the select lists: as lateral joins DuckDB hashes a whole outline for each vertex -#}
{% macro duckdb__geojson_vertices(relation, columns, geojson) -%}
    {%- set kept = columns | join(', ') -%}
    (
        select
            {{ kept }},
            polygon_number,
            ring_number,
            vertex_number,
            vertex[1] as longitude,
            vertex[2] as latitude
        from (
            select
                {{ kept }},
                polygon_number,
                ring_number,
                generate_subscripts(ring, 1) as vertex_number,
                unnest(ring) as vertex
            from (
                select
                    {{ kept }},
                    polygon_number,
                    generate_subscripts(block, 1) as ring_number,
                    unnest(block) as ring
                from (
                    select
                        {{ kept }},
                        generate_subscripts(polygons, 1) as polygon_number,
                        unnest(polygons) as block
                    from (
                        select
                            {{ kept }},
                            case json_extract_string({{ geojson }}, '$.type')
                                when 'MultiPolygon' then try_cast(
                                    json_extract({{ geojson }}, '$.coordinates') as double[][][][]
                                )
                                when 'Polygon' then [try_cast(
                                    json_extract({{ geojson }}, '$.coordinates') as double[][][]
                                )]
                            end as polygons
                        from {{ relation }}
                    ) as multipolygons
                ) as polygons
            ) as rings
        ) as vertices
    ) as geojson_vertices
{%- endmacro %}

{% macro snowflake__geojson_vertices(relation, columns, geojson) -%}
    {%- set kept = columns | join(', ') -%}
    (
        select
            {{ kept }},
            polygon_number,
            ring_number,
            vertex_in.index + 1 as vertex_number,
            cast(get(vertex_in.value, 0) as double) as longitude,
            cast(get(vertex_in.value, 1) as double) as latitude
        from (
            select
                {{ kept }},
                polygon_number,
                ring_in.index + 1 as ring_number,
                ring_in.value as ring
            from (
                select
                    {{ kept }},
                    polygon_in.index + 1 as polygon_number,
                    polygon_in.value as polygon
                from (
                    select
                        {{ kept }},
                        case cast(get_path(parse_json({{ geojson }}), 'type') as varchar)
                            when 'MultiPolygon'
                                then get_path(parse_json({{ geojson }}), 'coordinates')
                            when 'Polygon'
                                then array_construct(
                                    get_path(parse_json({{ geojson }}), 'coordinates')
                                )
                        end as polygons
                    from {{ relation }}
                ) as multipolygons
                cross join lateral flatten(input => multipolygons.polygons) as polygon_in
            ) as polygons
            cross join lateral flatten(input => polygons.polygon) as ring_in
        ) as rings
        cross join lateral flatten(input => rings.ring) as vertex_in
    ) as geojson_vertices
{%- endmacro %}
