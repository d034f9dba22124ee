with

source as (

    select * from {{ source_or_empty('bookkeeping', '_source_load', source_load_columns()) }}

),

final as (

    select
        run_sequence,
        run_id,
        portal,
        dataset,
        table_name,
        status,
        started_at,
        finished_at,
        extracted_at,
        duration_s,
        rows_expected,
        rows_received,
        rows_new,
        rows_changed,
        rows_unchanged,
        rows_restored,
        rows_withdrawn,
        rows_quarantined,
        rows_present,
        is_withdrawal_refused,
        drift,
        portal_data_processed_at,
        portal_modified_at,
        portal_records_count,
        is_synthetic,
        error
    from source
    qualify
        row_number() over (
            partition by dataset, run_sequence order by run_id asc, status asc
        ) = 1

)

select * from final
