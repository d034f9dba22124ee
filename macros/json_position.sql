{# Position in its array, from 0, of an element that json_each gave. #}
{% macro json_position(element) -%}
    {{ return(adapter.dispatch('json_position', 'paris_colleges')(element)) }}
{%- endmacro %}

{% macro duckdb__json_position(element) -%}
    cast({{ element }}.key as integer)
{%- endmacro %}

{% macro snowflake__json_position(element) -%}
    cast({{ element }}.index as integer)
{%- endmacro %}
