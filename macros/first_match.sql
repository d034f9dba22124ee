{# The first match of a regular expression, null where there is none. Patterns without backslash. #}
{% macro first_match(text, pattern) -%}
    {{ return(adapter.dispatch('first_match', 'paris_colleges')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__first_match(text, pattern) -%}
    nullif(regexp_extract({{ text }}, '{{ pattern }}'), '')
{%- endmacro %}

{% macro snowflake__first_match(text, pattern) -%}
    regexp_substr({{ text }}, '{{ pattern }}')
{%- endmacro %}
