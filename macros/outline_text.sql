{#
    An outline for a reader, `MultiPolygon, 312 positions`. Between the numbers of nested JSON arrays
    stand as many commas as there are numbers, less one.

    coordinates: JSON text
#}
{% macro outline_text(geometry_type, coordinates) -%}
    {{ geometry_type }}
    || ', '
    || cast(
        case
            when {{ first_match(coordinates, '[0-9]') }} is null then 0
            else floor(
                (length({{ coordinates }}) - length(replace({{ coordinates }}, ',', '')) + 1) / 2
            )
        end as integer
    )
    || ' positions'
{%- endmacro %}
