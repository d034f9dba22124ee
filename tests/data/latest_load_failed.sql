-- Datasets whose latest attempt failed. A warning: the others are loaded, and this one's marts say
-- what they said before.
{{ config(severity='warn') }}

with

source_loads as (

    select * from {{ ref('fct_source_load') }}

),

latest as (

    select *
    from source_loads
    qualify row_number() over (partition by dataset order by run_sequence desc) = 1

)

select
    dataset,
    run_sequence,
    error
from latest
where status = 'failed'
