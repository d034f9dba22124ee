{#
    The fields of a JSON object, one row each: the columns named, `field_name`, `field_value` (what
    stands there, JSON) and `field_text` (the same as json_value_text has it).

    relation: with those columns and the object
    columns: list of column names to keep
    payload: name of the object's column
#}
{% macro json_fields(relation, columns, payload) -%}
    {{ return(adapter.dispatch('json_fields', 'paris_colleges')(relation, columns, payload)) }}
{%- endmacro %}

{#- unnest in the select list: for a lateral join DuckDB keeps every payload in a hash table. A name
    stands once in an object, else the record had been kept out (canonical.py). -#}
{% macro duckdb__json_fields(relation, columns, payload) -%}
    (
        select
            {{ columns | join(', ') }},
            json_entry.key as field_name,
            json_entry.value as field_value,
            {{ json_value_text('json_entry.value') }} as field_text
        from (
            select
                {{ columns | join(', ') }},
                unnest(
                    map_entries(cast(cast({{ payload }} as json) as map(varchar, json)))
                ) as json_entry
            from {{ relation }}
        ) as json_entries
    ) as json_fields
{%- endmacro %}

{% macro snowflake__json_fields(relation, columns, payload) -%}
    (
        select
            {{ columns | join(', ') }},
            json_entry.key as field_name,
            json_entry.value as field_value,
            {{ json_value_text('json_entry.value') }} as field_text
        from {{ relation }} as json_input
        cross join lateral flatten(input => json_input.{{ payload }}) as json_entry
    ) as json_fields
{%- endmacro %}
