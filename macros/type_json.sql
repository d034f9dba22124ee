{# Type of a raw payload. #}
{% macro type_json() -%}
    {{ return(adapter.dispatch('type_json', 'paris_colleges')()) }}
{%- endmacro %}

{% macro duckdb__type_json() -%}
    {{ return('json') }}
{%- endmacro %}

{% macro snowflake__type_json() -%}
    {{ return('variant') }}
{%- endmacro %}
