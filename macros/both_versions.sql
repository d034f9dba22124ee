{#
    Two rows for each version that differs from the one held before: side `new` with its own
    payload, `old` with the earlier one. Both carry the later version's dataset, record_key and
    run_sequence, to be joined on.

    versions: int_portal_edit__versions, or a CTE of it
    payloads: stg_record_versions, or a CTE of it
#}
{% macro both_versions(versions, payloads) -%}
    (
        select
            sides.dataset,
            sides.record_key,
            sides.run_sequence,
            sides.side,
            sides.held_key,
            payloads.payload
        from (
            select
                dataset,
                record_key,
                run_sequence,
                'new' as side,
                record_key as held_key,
                run_sequence as held_run
            from {{ versions }}
            where has_other_content

            union all

            select
                dataset,
                record_key,
                run_sequence,
                'old' as side,
                previous_record_key as held_key,
                previous_run_sequence as held_run
            from {{ versions }}
            where has_other_content
        ) as sides
        inner join {{ payloads }} as payloads
            on
                sides.dataset = payloads.dataset
                and sides.held_key = payloads.record_key
                and sides.held_run = payloads.run_sequence
    ) as both_versions
{%- endmacro %}
