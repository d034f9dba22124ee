{# The whole number at a path of a payload; the portals also write it as `86.0`. #}
{% macro json_integer(payload, path) -%}
    cast(round({{ json_number(payload, path) }}) as integer)
{%- endmacro %}
