{#
    The fields of a JSON object, one row each, to be cross joined: `key` is the name of the field,
    `value` what stands there.
#}
{% macro json_each(payload) -%}
    {{ return(adapter.dispatch('json_each', 'paris_colleges')(payload)) }}
{%- endmacro %}

{% macro duckdb__json_each(payload) -%}
    json_each({{ payload }})
{%- endmacro %}

{% macro snowflake__json_each(payload) -%}
    lateral flatten(input => {{ payload }})
{%- endmacro %}
