-- Datasets whose latest pull has fields that the registry does not expect, lacks some, or has them
-- of another type. A warning: what staging reads is null where a field is gone or unreadable, and
-- its own tests say whether that matters; the registry wants an update.
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
    'run ' || run_sequence as run_name,
    drift
from latest_finished
where drift <> '[]'
