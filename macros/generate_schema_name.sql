{#
    Schemas are named exactly as configured (`marts`, not `main_marts`). A developer's or a pull
    request's build sets COLLEGES_SCHEMA_PREFIX (e.g. `pr_12`) and gets `pr_12_marts` beside them;
    `raw` is a source and never prefixed.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}

    {%- set prefix = env_var('COLLEGES_SCHEMA_PREFIX', '') -%}
    {%- set schema = (custom_schema_name or target.schema) | trim -%}
    {{- prefix ~ '_' ~ schema if prefix else schema -}}

{%- endmacro %}
