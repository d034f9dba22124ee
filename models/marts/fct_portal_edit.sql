with

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

field_edits as (

    select * from {{ ref('int_portal_edit__field_edits') }}

),

edited as (

    select
        field_edits.dataset,
        field_edits.record_key,
        field_edits.field,
        field_edits.old_value,
        field_edits.new_value,
        'edited' as edit_type,
        field_edits.run_sequence,
        versions.extracted_at as detected_at
    from field_edits
    inner join versions
        on
            field_edits.dataset = versions.dataset
            and field_edits.record_key = versions.record_key
            and field_edits.run_sequence = versions.run_sequence

),

withdrawn_and_restored as (

    select
        dataset,
        record_key,
        cast(null as varchar) as field,
        cast(null as varchar) as old_value,
        cast(null as varchar) as new_value,
        case when is_withdrawn then 'withdrawn' else 'restored' end as edit_type,
        run_sequence,
        extracted_at as detected_at
    from versions
    where is_withdrawn <> was_withdrawn

),

final as (

    select
        dataset,
        record_key,
        field,
        old_value,
        new_value,
        edit_type,
        run_sequence,
        detected_at
    from edited
    union all
    select
        dataset,
        record_key,
        field,
        old_value,
        new_value,
        edit_type,
        run_sequence,
        detected_at
    from withdrawn_and_restored

)

select * from final
