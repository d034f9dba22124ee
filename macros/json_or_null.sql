{# Text as JSON where it is JSON, else null: for text that may be either. #}
{% macro json_or_null(text) -%}
    {{ return(adapter.dispatch('json_or_null', 'paris_colleges')(text)) }}
{%- endmacro %}

{% macro duckdb__json_or_null(text) -%}
    try_cast({{ text }} as json)
{%- endmacro %}

{% macro snowflake__json_or_null(text) -%}
    try_parse_json({{ text }})
{%- endmacro %}
