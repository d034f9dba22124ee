-- Finished loads that did not receive as many records as the portal says it has.
select
    dataset,
    run_sequence,
    rows_expected,
    rows_received
from {{ ref('fct_source_load') }}
where status = 'finished' and coalesce(rows_expected <> rows_received, true)
