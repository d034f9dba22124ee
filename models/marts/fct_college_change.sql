with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

-- A school year that no extraction holds is a gap: it has no number, so that the year before it and
-- the year after it stand side by side.
held_school_years as (

    select
        school_year_start,
        school_year,
        row_number() over (order by school_year_start) as held_number
    from (
        select distinct
            school_year_start,
            school_year
        from school_years
    ) as distinct_school_years

),

-- Where an address or a point is missing, the latest one known before speaks for it.
numbered as (

    select
        school_years.college_id,
        school_years.school_year,
        school_years.school_year_start,
        school_years.college_name,
        school_years.name_key,
        school_years.address,
        school_years.address_key,
        school_years.longitude,
        school_years.latitude,
        held_school_years.held_number,
        lag(held_school_years.held_number) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_held_number,
        lead(held_school_years.held_number) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as next_held_number,
        lag(school_years.college_name) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_college_name,
        lag(school_years.name_key) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_name_key,
        max(
            case
                when school_years.address_key is not null then school_years.school_year_start
            end
        ) over (
            partition by school_years.college_id
            order by school_years.school_year_start
            rows between unbounded preceding and 1 preceding
        ) as previous_address_start,
        max(
            case
                when school_years.longitude + school_years.latitude is not null
                    then school_years.school_year_start
            end
        ) over (
            partition by school_years.college_id
            order by school_years.school_year_start
            rows between unbounded preceding and 1 preceding
        ) as previous_point_start
    from school_years
    inner join held_school_years
        on school_years.school_year_start = held_school_years.school_year_start

),

opened as (

    select
        college_id,
        school_year,
        'opened' as change_type,
        cast(null as varchar) as from_value,
        college_name as to_value,
        cast(null as double) as moved_m
    from numbered
    where held_number > 1 and previous_held_number is distinct from held_number - 1

),

closed as (

    select
        numbered.college_id,
        held_school_years.school_year,
        'closed' as change_type,
        numbered.college_name as from_value,
        cast(null as varchar) as to_value,
        cast(null as double) as moved_m
    from numbered
    inner join held_school_years
        on numbered.held_number + 1 = held_school_years.held_number
    where numbered.next_held_number is distinct from numbered.held_number + 1

),

continued as (

    select
        numbered.*,
        earlier_address.address as previous_address,
        earlier_address.address_key as previous_address_key,
        earlier_point.longitude as previous_longitude,
        earlier_point.latitude as previous_latitude,
        {{ haversine_m(
            'earlier_point.longitude', 'earlier_point.latitude',
            'numbered.longitude', 'numbered.latitude'
        ) }} as moved_m
    from numbered
    left join school_years as earlier_address
        on
            numbered.college_id = earlier_address.college_id
            and numbered.previous_address_start = earlier_address.school_year_start
    left join school_years as earlier_point
        on
            numbered.college_id = earlier_point.college_id
            and numbered.previous_point_start = earlier_point.school_year_start
    where numbered.previous_held_number = numbered.held_number - 1

),

renamed as (

    select
        college_id,
        school_year,
        case when name_key = previous_name_key then 'respelled' else 'renamed' end as change_type,
        previous_college_name as from_value,
        college_name as to_value,
        cast(null as double) as moved_m
    from continued
    where college_name <> previous_college_name

),

moved as (

    select
        college_id,
        school_year,
        previous_address,
        address,
        coalesce(address_key <> previous_address_key, false) as is_address_changed,
        cast(round(previous_longitude, 6) as varchar)
        || ', '
        || cast(round(previous_latitude, 6) as varchar) as old_point,
        cast(round(longitude, 6) as varchar)
        || ', '
        || cast(round(latitude, 6) as varchar) as new_point,
        moved_m
    from continued
    where moved_m > {{ var('college_moved_threshold_m') }}

),

relocated as (

    select
        college_id,
        school_year,
        case when is_address_changed then 'relocated' else 'point_moved' end as change_type,
        case when is_address_changed then previous_address else old_point end as from_value,
        case when is_address_changed then address else new_point end as to_value,
        moved_m
    from moved

),

final as (

    select
        college_id,
        school_year,
        change_type,
        from_value,
        to_value,
        moved_m
    from opened
    union all
    select
        college_id,
        school_year,
        change_type,
        from_value,
        to_value,
        moved_m
    from closed
    union all
    select
        college_id,
        school_year,
        change_type,
        from_value,
        to_value,
        moved_m
    from renamed
    union all
    select
        college_id,
        school_year,
        change_type,
        from_value,
        to_value,
        moved_m
    from relocated

)

select * from final
