{#
    The records present after the dataset's latest finished load are those that its staging model
    has as not withdrawn; otherwise one was lost, or doubled, between the portal and here.

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

staged as (

    select count(case when not is_withdrawn then 1 end) as rows_staged
    from {{ model }}

)

select
    latest_finished.rows_present,
    staged.rows_staged
from latest_finished
cross join staged
where latest_finished.rows_present <> staged.rows_staged

{% endtest %}
