with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

-- a version is the range itself, or a tombstone; one of the same kind before it says nothing new
marked as (

    select
        record_key,
        run_sequence,
        is_withdrawn,
        extracted_at,
        lag(is_withdrawn) over (
            partition by record_key order by run_sequence
        ) as was_withdrawn,
        min(case when is_withdrawn then extracted_at end) over (
            partition by record_key order by run_sequence
            rows between current row and unbounded following
        ) as withdrawn_at
    from versions
    where dataset = 'fr-en-carte-scolaire-colleges-publics'

),

final as (

    select
        record_key,
        extracted_at as first_extracted_at,
        withdrawn_at
    from marked
    where not is_withdrawn and coalesce(was_withdrawn, true)

)

select * from final
