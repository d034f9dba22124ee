{# Every match of a regular expression replaced. Patterns without backslash: engines escape them differently. #}
{% macro replace_pattern(text, pattern, replacement) -%}
    {{ return(
        adapter.dispatch('replace_pattern', 'paris_colleges')(text, pattern, replacement)
    ) }}
{%- endmacro %}

{% macro duckdb__replace_pattern(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro snowflake__replace_pattern(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}
