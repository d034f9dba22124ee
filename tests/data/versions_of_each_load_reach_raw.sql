-- Loads of which raw holds more or fewer versions, or tombstones, than MongoDB's ledger says they
-- wrote: a version was lost, or doubled, between MongoDB and here. Of a load that is not finished
-- raw holds none.
select
    dataset,
    run_sequence,
    status,
    versions_in_mongodb,
    versions_in_raw,
    tombstones_in_mongodb,
    tombstones_in_raw
from {{ ref('fct_source_load') }}
where
    coalesce(versions_in_mongodb, 0) <> versions_in_raw
    or coalesce(tombstones_in_mongodb, 0) <> tombstones_in_raw
