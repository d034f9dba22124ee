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

changes as (

    select * from opened
    union all
    select * from closed
    union all
    select * from renamed
    union all
    select * from moved

),

counted as (

    select
        school_year,
        change_type,
        count(*) as changes_at_once,
        median(moved_m) as median_moved_m
    from changes
    group by school_year, change_type

),

-- No city renames or moves dozens of schools in one summer: what so many have at once is another
-- way of writing names, addresses or points, and no event of anybody's.
final as (

    select
        changes.college_id,
        changes.school_year,
        changes.change_type,
        changes.from_value,
        changes.to_value,
        changes.moved_m,
        changes.record_key,
        counted.changes_at_once,
        changes.change_type in ('renamed', 'relocated', 'point_moved', 'readdressed')
        and {{ too_many_at_once('counted.changes_at_once', 'held_school_years.colleges_at_most') }}
        -- one that moved far further than the others did move
        and coalesce(changes.moved_m <= 3 * counted.median_moved_m, true) as is_way_of_writing
    from changes
    inner join counted
        on
            changes.school_year = counted.school_year
            and changes.change_type = counted.change_type
    inner join held_school_years
        on changes.school_year = held_school_years.school_year

)

select * from final
