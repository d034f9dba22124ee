{# JSON text as a value of the payload's type. #}
{% macro json_from_text(text) -%}
    {{ return(adapter.dispatch('json_from_text', 'paris_colleges')(text)) }}
{%- endmacro %}

{% macro duckdb__json_from_text(text) -%}
    cast({{ text }} as json)
{%- endmacro %}

{% macro snowflake__json_from_text(text) -%}
    parse_json({{ text }})
{%- endmacro %}
