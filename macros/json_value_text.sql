{#
    A JSON value as trimmed text, null where it is null or blank: json_text of the value itself. An
    object or an array comes as its JSON text.
#}
{% macro json_value_text(value) -%}
    nullif(trim({{ adapter.dispatch('json_as_text', 'paris_colleges')(value) }}), '')
{%- endmacro %}

{% macro duckdb__json_as_text(value) -%}
    json_extract_string({{ value }}, '$')
{%- endmacro %}

{% macro snowflake__json_as_text(value) -%}
    cast({{ value }} as varchar)
{%- endmacro %}
