{#
    JSON text as what the other json_ macros read, parsed once: DuckDB's JSON functions read the
    text itself, Snowflake's a variant.
#}
{% macro json_from_text(text) -%}
    {{ return(adapter.dispatch('json_from_text', 'paris_colleges')(text)) }}
{%- endmacro %}

{% macro duckdb__json_from_text(text) -%}
    {{ text }}
{%- endmacro %}

{% macro snowflake__json_from_text(text) -%}
    parse_json({{ text }})
{%- endmacro %}
