{#
    dbt calls these around each model, seed, snapshot and test. On Snowflake its session then says in
    the query history which run and model a statement is of, and counts in UTC. A test, one statement
    that dbt's own comment names, keeps the profile's tag: with a tag each, more than half of what a
    build asks would be tags.
#}
{% macro snowflake__set_query_tag() -%}
    {%- if model.resource_type == 'test' -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set tag = {
        'app': 'paris_colleges', 'run': invocation_id, 'model': model.schema ~ '.' ~ model.name
    } -%}
    {% do run_query(
        "alter session set query_tag = '" ~ tojson(tag) ~ "', timezone = 'UTC'"
    ) %}
    {{ return(none) }}
{%- endmacro %}

{% macro snowflake__unset_query_tag(original_query_tag) -%}
    {%- if model.resource_type != 'test' -%}
        {% do run_query("alter session set query_tag = '" ~ target.query_tag ~ "'") %}
    {%- endif -%}
{%- endmacro %}
