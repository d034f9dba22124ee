{#
    dbt calls these around each model, seed and snapshot. On Snowflake its session then says in the
    query history which run and model a statement is of, and counts in UTC.
#}
{% macro snowflake__set_query_tag() -%}
    {%- set tag = {
        'app': 'paris_colleges', 'run': invocation_id, 'model': model.schema ~ '.' ~ model.name
    } -%}
    {% do run_query(
        "alter session set query_tag = '" ~ tojson(tag) ~ "', timezone = 'UTC'"
    ) %}
    {{ return(none) }}
{%- endmacro %}

{% macro snowflake__unset_query_tag(original_query_tag) -%}
    {% do run_query("alter session set query_tag = '" ~ target.query_tag ~ "'") %}
{%- endmacro %}
