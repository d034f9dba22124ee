with

changes as (

    select * from {{ ref('int_college__changes') }}

),

final as (

    select
        college_id,
        school_year,
        case when is_way_of_writing then 'respelled' else change_type end as change_type,
        from_value,
        to_value,
        moved_m,
        record_key
    from changes
    where change_type = 'renamed' or not is_way_of_writing

)

select * from final
