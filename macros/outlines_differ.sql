{#
    Whether one of the numbers of two outlines, in order, differs by more than `tolerance`, or one has
    more of them: a relation of the columns named and `is_redrawn`, a row each.

    relation: with those columns, old_numbers and new_numbers, each the numbers as text, by comma
    columns: list of column names that identify a row
#}
{% macro outlines_differ(relation, columns, tolerance) -%}
    {{ return(adapter.dispatch('outlines_differ', 'paris_colleges')(relation, columns, tolerance)) }}
{%- endmacro %}

{#- In lists: as rows the numbers of all outlines took eight gibibytes at scale 100 -#}
{% macro duckdb__outlines_differ(relation, columns, tolerance) -%}
    (
        select
            {{ columns | join(', ') }},
            coalesce(len(old_list), 0) <> coalesce(len(new_list), 0)
            or coalesce(
                list_max(
                    list_transform(
                        list_zip(old_list, new_list), lambda pair: abs(pair[1] - pair[2])
                    )
                ),
                0
            ) > {{ tolerance }} as is_redrawn
        from (
            select
                {{ columns | join(', ') }},
                try_cast(string_split(nullif(old_numbers, ''), ',') as double[]) as old_list,
                try_cast(string_split(nullif(new_numbers, ''), ',') as double[]) as new_list
            from {{ relation }}
        ) as lists
    ) as outlines_differ
{%- endmacro %}

{% macro snowflake__outlines_differ(relation, columns, tolerance) -%}
    (
        select
            {{ columns | join(', ') }},
            max(
                case when abs(new_number - old_number) <= {{ tolerance }} then 0 else 1 end
            ) = 1 as is_redrawn
        from (
            select
                {{ columns | join(', ') }},
                part_number,
                max(case when side = 'old' then try_cast(part as double) end) as old_number,
                max(case when side = 'new' then try_cast(part as double) end) as new_number
            from (
                {%- for side in ['old', 'new'] %}
                select {{ columns | join(', ') }}, '{{ side }}' as side, part_number, part
                from {{ split_to_rows(relation, columns, side ~ '_numbers') | indent(16) }}
                {%- if not loop.last %}
                union all
                {%- endif %}
                {%- endfor %}
            ) as sides
            group by {{ columns | join(', ') }}, part_number
        ) as number_pairs
        group by {{ columns | join(', ') }}
    ) as outlines_differ
{%- endmacro %}
