with

source_loads as (

    select * from {{ ref('stg_source_loads') }}

),

final as (

    select
        dataset,
        run_sequence,
        run_id,
        portal,
        status,
        started_at,
        finished_at,
        extracted_at,
        round(duration_s, 3) as duration_s,
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
    from source_loads

)

select * from final
