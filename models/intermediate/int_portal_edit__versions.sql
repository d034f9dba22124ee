with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

-- The order is the run sequence, never a clock. Within its own kind the version before a held one
-- is the one that held the record last, over any time without it.
chained as (

    select
        dataset,
        record_key,
        run_sequence,
        is_withdrawn,
        lag(is_withdrawn) over (
            partition by dataset, record_key order by run_sequence
        ) as was_withdrawn,
        lag(run_sequence) over (
            partition by dataset, record_key, is_withdrawn order by run_sequence
        ) as previous_run_sequence,
        content_hash,
        lag(content_hash) over (
            partition by dataset, record_key, is_withdrawn order by run_sequence
        ) as previous_content_hash,
        extracted_at
    from versions
    qualify count(*) over (partition by dataset, record_key) > 1

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        is_withdrawn,
        was_withdrawn,
        previous_run_sequence,
        coalesce(content_hash <> previous_content_hash, false) as has_other_content,
        extracted_at
    from chained

)

select * from final
