-- Datasets whose latest pull withdrew nothing: it fell below the volume floor of the registry, or
-- had lines that do not say which record they are. A warning: the marts are right, they only stand
-- still, and the run that pulled has already failed. `colleges run --accept-shrink` lets records go
-- where the portal means it.
{{ config(severity='warn') }}

with

source_loads as (

    select * from {{ ref('fct_source_load') }}

),

latest_finished as (

    select *
    from source_loads
    where status = 'finished'
    qualify row_number() over (partition by dataset order by run_sequence desc) = 1

)

select
    dataset,
    run_sequence,
    rows_received,
    rows_present
from latest_finished
where is_withdrawal_refused
