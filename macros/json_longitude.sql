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

{# Longitude of a value that is itself a place: a point, a GeoJSON Feature or a bare geometry. #}
{% macro place_longitude(place) -%}
    {{ _place_coordinate(place, 0, 'lon') }}
{%- endmacro %}

{# Latitude of a value that is itself a place; see place_longitude. #}
{% macro place_latitude(place) -%}
    {{ _place_coordinate(place, 1, 'lat') }}
{%- endmacro %}

{% macro _place_coordinate(place, position, name) -%}
    coalesce(
        {{ json_number(place, name) }},
        {{ json_number(place, 'geometry.coordinates[' ~ position ~ ']') }},
        {{ json_number(place, 'coordinates[' ~ position ~ ']') }}
    )
{%- endmacro %}
