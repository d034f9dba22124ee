{#
    Out of versions (tombstones included), one row per record: the latest version that held a
    value, and whether the record is withdrawn now. A record the portal erased keeps what it said
    last. The order is the run sequence, never a clock.

    versions: a relation with record_key, run_sequence, content_hash, is_withdrawn, extracted_at
    Adds `is_now_withdrawn` and `withdrawn_at` (null while the record is on the portal).
#}
{% macro latest_records(versions) -%}
    (
        select
            held.*,
            latest.is_withdrawn as is_now_withdrawn,
            case when latest.is_withdrawn then latest.extracted_at end as withdrawn_at
        from (
            select * from {{ versions }}
            where not is_withdrawn
            qualify row_number() over (
                partition by record_key order by run_sequence desc, content_hash asc
            ) = 1
        ) as held
        inner join (
            select
                record_key,
                is_withdrawn,
                extracted_at
            from {{ versions }}
            qualify row_number() over (
                partition by record_key order by run_sequence desc, content_hash asc
            ) = 1
        ) as latest
            on held.record_key = latest.record_key
    ) as latest_records
{%- endmacro %}
