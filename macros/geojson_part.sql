{# A part of a GeoJSON value as text, of a Feature or of a bare geometry; null where it has none. #}
{% macro geojson_part(value, part) -%}
    coalesce({{ json_text(value, 'geometry.' ~ part) }}, {{ json_text(value, part) }})
{%- endmacro %}

{#
    Whether the coordinates, as text, are those of an outline: lists within a list, where those of a
    point begin with a number. False where there are none.
#}
{% macro is_outline(coordinates) -%}
    {{ coordinates }} is not null
    and {{ first_match(coordinates, '^[[] *[-0-9]') }} is null
{%- endmacro %}
