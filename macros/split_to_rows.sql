{#
    The parts of a text, one row each: the columns named, `part_number` (from 1) and `part`.

    relation: with those columns and the text
    columns: list of column names to keep
    text: name of the text column
    separator: one character
#}
{% macro split_to_rows(relation, columns, text, separator=',') -%}
    {{ return(adapter.dispatch('split_to_rows', 'paris_colleges')(
        relation, columns, text, separator
    )) }}
{%- endmacro %}

{#- unnest in the select list: as a lateral join DuckDB hashes the whole text once for every part -#}
{% macro duckdb__split_to_rows(relation, columns, text, separator) -%}
    (
        select
            {{ columns | join(', ') }},
            generate_subscripts(string_split({{ text }}, '{{ separator }}'), 1) as part_number,
            unnest(string_split({{ text }}, '{{ separator }}')) as part
        from {{ relation }}
    ) as split_rows
{%- endmacro %}

{% macro snowflake__split_to_rows(relation, columns, text, separator) -%}
    (
        select
            {{ columns | join(', ') }},
            split_part.index + 1 as part_number,
            cast(split_part.value as varchar) as part
        from {{ relation }} as split_input
        cross join lateral flatten(
            input => split(split_input.{{ text }}, '{{ separator }}')
        ) as split_part
    ) as split_rows
{%- endmacro %}
