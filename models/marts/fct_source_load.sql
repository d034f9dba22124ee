with

source_loads as (

    select * from {{ ref('stg_source_loads') }}

),

version_counts as (

    select * from {{ ref('stg_record_version_counts') }}

),

final as (

    select
        source_loads.dataset,
        source_loads.run_sequence,
        source_loads.run_id,
        source_loads.portal,
        source_loads.status,
        source_loads.started_at,
        source_loads.finished_at,
        source_loads.extracted_at,
        round(source_loads.duration_s, 3) as duration_s,
        source_loads.rows_expected,
        source_loads.rows_received,
        source_loads.rows_new,
        source_loads.rows_changed,
        source_loads.rows_unchanged,
        source_loads.rows_restored,
        source_loads.rows_withdrawn,
        source_loads.rows_quarantined,
        source_loads.rows_present,
        source_loads.rows_new
        + source_loads.rows_changed
        + source_loads.rows_restored
        + source_loads.rows_withdrawn as versions_written,
        coalesce(version_counts.versions_in_raw, 0) as versions_in_raw,
        source_loads.rows_withdrawn as tombstones_written,
        coalesce(version_counts.tombstones_in_raw, 0) as tombstones_in_raw,
        source_loads.is_withdrawal_refused,
        source_loads.drift,
        source_loads.portal_data_processed_at,
        source_loads.portal_modified_at,
        source_loads.portal_records_count,
        source_loads.is_synthetic,
        source_loads.error
    from source_loads
    left join version_counts
        on
            source_loads.dataset = version_counts.dataset
            and source_loads.run_sequence = version_counts.run_sequence

)

select * from final
