{# The GeoJSON geometry of a shape as text, out of a Feature or a bare geometry. #}
{% macro json_geometry(payload, shape) -%}
    coalesce(
        {{ json_text(payload, shape ~ '.geometry') }},
        case
            when {{ json_text(payload, shape ~ '.coordinates') }} is not null
                then {{ json_text(payload, shape) }}
        end
    )
{%- endmacro %}
