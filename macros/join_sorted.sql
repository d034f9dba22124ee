{# Aggregate: the distinct texts of a group in order, joined by a comma and a space. #}
{% macro join_sorted(text) -%}
    {{ return(adapter.dispatch('join_sorted', 'paris_colleges')(text)) }}
{%- endmacro %}

{% macro duckdb__join_sorted(text) -%}
    string_agg(distinct {{ text }}, ', ' order by {{ text }})
{%- endmacro %}

{% macro snowflake__join_sorted(text) -%}
    nullif(listagg(distinct {{ text }}, ', ') within group (order by {{ text }}), '')
{%- endmacro %}
