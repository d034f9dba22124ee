{#
    Longitude of a point record. The shape goes first because the portal cuts geo_point_2d to 12
    digits. A shape is a GeoJSON Feature or a bare geometry, longitude before latitude.
#}
{% macro json_longitude(payload, shape, point) -%}
    {{ _json_coordinate(payload, shape, point, 0, 'lon') }}
{%- endmacro %}

{# Latitude of a point record; see json_longitude. #}
{% macro json_latitude(payload, shape, point) -%}
    {{ _json_coordinate(payload, shape, point, 1, 'lat') }}
{%- endmacro %}

{% macro _json_coordinate(payload, shape, point, position, name) -%}
    coalesce(
        {{ json_number(payload, shape ~ '.geometry.coordinates[' ~ position ~ ']') }},
        {{ json_number(payload, shape ~ '.coordinates[' ~ position ~ ']') }},
        {{ json_number(payload, point ~ '.' ~ name) }}
    )
{%- endmacro %}
