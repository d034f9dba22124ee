with

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

field_edits as (

    select * from {{ ref('int_portal_edit__field_edits') }}

),

record_colleges as (

    select * from {{ ref('int_portal_edit__record_colleges') }}

),

edits as (

    select
        dataset,
        record_key,
        field,
        old_value,
        new_value,
        'edited' as edit_type,
        run_sequence
    from field_edits

    union all

    select
        dataset,
        record_key,
        cast(null as varchar) as field,
        cast(null as varchar) as old_value,
        cast(null as varchar) as new_value,
        presence_change as edit_type,
        run_sequence
    from versions
    where presence_change is not null

),

final as (

    select
        edits.dataset,
        edits.record_key,
        record_colleges.college_id,
        record_colleges.school_year,
        edits.field,
        edits.old_value,
        edits.new_value,
        edits.edit_type,
        edits.run_sequence,
        versions.extracted_at as detected_at
    from edits
    inner join versions
        on
            edits.dataset = versions.dataset
            and edits.record_key = versions.record_key
            and edits.run_sequence = versions.run_sequence
    left join record_colleges
        on
            edits.dataset = record_colleges.dataset
            and edits.record_key = record_colleges.record_key

)

select * from final
