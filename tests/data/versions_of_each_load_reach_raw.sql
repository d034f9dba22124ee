-- Loads of which raw holds more or fewer versions, or tombstones, than MongoDB's ledger says they
-- wrote: a version was lost, or doubled, between MongoDB and here. Of a load that is not finished
-- raw holds none; versions of a run without a ledger row are what a load that was cut off left, or
-- what one beside this build has not committed: `colleges load`, then build.
with

loads as (

    select * from {{ ref('fct_source_load') }}

),

version_counts as (

    select * from {{ ref('stg_record_version_counts') }}

)

select
    dataset,
    run_sequence,
    status,
    versions_written,
    versions_in_raw,
    tombstones_written,
    tombstones_in_raw
from loads
where
    coalesce(versions_written, 0) <> versions_in_raw
    or coalesce(tombstones_written, 0) <> tombstones_in_raw
union all
select
    version_counts.dataset,
    version_counts.run_sequence,
    null as status,
    null as versions_written,
    version_counts.versions_in_raw,
    null as tombstones_written,
    version_counts.tombstones_in_raw
from version_counts
left join loads
    on
        version_counts.dataset = loads.dataset
        and version_counts.run_sequence = loads.run_sequence
where loads.dataset is null
