with

school_years as (

    select * from {{ ref('int_college__sequence') }}

),

moves as (

    select * from {{ ref('int_college__moves') }}

),

held_school_years as (

    select * from {{ ref('int_school_year__colleges') }}
    where is_whole

),

opened as (

    select
        college_id,
        school_year,
        'opened' as change_type,
        cast(null as varchar) as from_value,
        college_name as to_value,
        cast(null as double) as moved_m,
        record_key
    from school_years
    where is_opening

),

closed as (

    select
        school_years.college_id,
        held_school_years.school_year,
        'closed' as change_type,
        school_years.college_name as from_value,
        cast(null as varchar) as to_value,
        cast(null as double) as moved_m,
        school_years.record_key
    from school_years
    inner join held_school_years
        on school_years.held_number + 1 = held_school_years.held_number
    where school_years.is_last_before_gap

),

renamed as (

    select
        college_id,
        school_year,
        case
            when
                {{ directory_name_key('name_key') }} = {{ directory_name_key('previous_name_key') }}
                then 'respelled'
            else 'renamed'
        end as change_type,
        previous_college_name as from_value,
        college_name as to_value,
        cast(null as double) as moved_m,
        record_key
    from school_years
    where is_continuing and college_name <> previous_college_name

),

moved as (

    select
        college_id,
        school_year,
        change_type,
        from_value,
        to_value,
        moved_m,
        record_key
    from moves

),

final as (

    select * from opened
    union all
    select * from closed
    union all
    select * from renamed
    union all
    select * from moved

)

select * from final
