{#
    A staging model has what its dataset's latest finished load left on the portal: as many records
    as not withdrawn, and each as the portal said it last, a withdrawn one as before the tombstone.
    Otherwise a record was lost, doubled, or taken from an older version between the portal and here.

    dataset: the portal's id
#}
{% test present_records(model, dataset) %}

with

latest_finished as (

    select *
    from {{ ref('fct_source_load') }}
    where
        status = 'finished'
        and dataset = '{{ dataset }}'
    qualify row_number() over (order by run_sequence desc) = 1

),

said_last as (

    select
        record_key,
        max(run_sequence) as run_sequence
    from {{ ref('stg_record_versions') }}
    where
        dataset = '{{ dataset }}'
        and not is_withdrawn
    group by record_key

),

staged as (

    select
        record_key,
        run_sequence,
        is_withdrawn
    from {{ model }}

),

staged_count as (

    select count(case when not is_withdrawn then 1 end) as rows_present
    from staged

)

select
    cast(null as varchar) as record_key,
    latest_finished.rows_present as expected,
    staged_count.rows_present as found
from latest_finished
cross join staged_count
where latest_finished.rows_present <> staged_count.rows_present

union all

select
    said_last.record_key,
    said_last.run_sequence as expected,
    staged.run_sequence as found
from said_last
left join staged on said_last.record_key = staged.record_key
where staged.run_sequence is distinct from said_last.run_sequence

{% endtest %}
