{#
    A source table, or an empty relation of the same columns where it has not landed yet: a portal
    dataset that was never loaded must give an empty model, not a failed build.
#}
{% macro source_or_empty(source_name, table_name, columns=none) -%}

    {%- set relation = source(source_name, table_name) -%}
    {#- while parsing there is no warehouse to ask; in a unit test the fixture stands in as a CTE -#}
    {%- if not execute or relation.is_cte -%}
        {{ return(relation) }}
    {%- endif -%}

    {%- if load_relation(relation) -%}
        {{ return(relation) }}
    {%- endif -%}

    {%- set typed_nulls = [] -%}
    {%- for column in (columns or version_columns()) -%}
        {%- do typed_nulls.append(
            'cast(null as ' ~ column.data_type ~ ') as ' ~ column.name
        ) -%}
    {%- endfor -%}
    {{ return('(select ' ~ typed_nulls | join(', ') ~ ' where false) as not_landed') }}

{%- endmacro %}
