{#
    The value at a path of a payload as trimmed text, null where the field is missing, null or
    blank. An object or an array comes as its JSON text.

    path: field names joined by dots, an array index in brackets: `geo_shape.coordinates[0]`
#}
{% macro json_text(payload, path) -%}
    nullif(trim({{ adapter.dispatch('json_value_as_text', 'paris_colleges')(payload, path) }}), '')
{%- endmacro %}

{% macro duckdb__json_value_as_text(payload, path) -%}
    json_extract_string({{ payload }}, '$.{{ path }}')
{%- endmacro %}

{% macro snowflake__json_value_as_text(payload, path) -%}
    cast(get_path({{ payload }}, '{{ path }}') as varchar)
{%- endmacro %}
