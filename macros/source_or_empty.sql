{#
    A source table, or an empty relation of the same columns where it has not landed yet: a portal
    dataset that was never loaded must give an empty model, not a failed build. The payload of a
    version, JSON text, comes as the json_ macros read it: see json_from_text.

    columns: of a table that holds no versions of records; name and data_type of each
#}
{% macro source_or_empty(source_name, table_name, columns=none) -%}

    {%- set relation = source(source_name, table_name) -%}
    {#- while parsing there is no warehouse to ask -#}
    {%- if not execute -%}
        {{ return(relation) }}
    {%- endif -%}

    {%- set typed_nulls = [] -%}
    {%- for column in (columns or version_columns()) -%}
        {%- do typed_nulls.append('cast(null as ' ~ column.data_type ~ ') as ' ~ column.name) -%}
    {%- endfor -%}

    {#- in a unit test the fixture stands in as a CTE -#}
    {%- if not (relation.is_cte or load_relation(relation)) -%}
        {{ return('(select ' ~ typed_nulls | join(', ') ~ ' where false) as not_landed') }}
    {%- elif columns or json_from_text('payload') | trim == 'payload' -%}
        {{ return(relation) }}
    {%- endif -%}
    {#- not a list of columns: a unit test's fixture need not have all of them -#}
    {%- set as_read = json_from_text('payload') ~ ' as payload' -%}
    {{ return('(select * replace (' ~ as_read ~ ') from ' ~ relation ~ ') as parsed') }}

{%- endmacro %}
