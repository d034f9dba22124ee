{#
    All rows of the raw tables of record versions, each with its dataset, as they stand there:
    nothing is left out. The tables are the sources whose `meta` names a `dataset`, so that a new
    one needs no entry here. dbt reads its sources after its models: the graph is complete only
    when the SQL runs, and the lineage of a model that uses this macro shows no source.

    columns: names of version_columns
#}
{% macro raw_versions(columns) -%}

    {%- set tables = [] -%}
    {%- if execute -%}
        {%- for table in graph.sources.values() if 'dataset' in table.config.meta -%}
            {%- do tables.append((table.config.meta.dataset, table.source_name, table.name)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for dataset, source_name, table_name in tables | sort %}
    select
        '{{ dataset }}' as dataset,
        {{ columns | join(',\n        ') }}
    from {{ source_or_empty(source_name, table_name) }}
    {{ 'union all' if not loop.last }}
    {%- endfor -%}

{%- endmacro %}
