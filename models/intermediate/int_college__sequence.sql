with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

states as (

    select * from {{ ref('int_college__states') }}

),

-- Held school years are numbered without the gaps between them, so that the year before a gap and
-- the year after it stand side by side.
numbered as (

    select
        school_years.*,
        states.is_in_doubt,
        row_number() over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as step,
        lag(school_years.held_number) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_held_number,
        lead(school_years.held_number) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as next_held_number,
        lag(school_years.college_name) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_college_name,
        lag(school_years.name_key) over (
            partition by school_years.college_id order by school_years.school_year_start
        ) as previous_name_key
    from school_years
    inner join states
        on school_years.college_id = states.college_id

),

final as (

    select
        college_id,
        school_year_start,
        school_year,
        held_number,
        step,
        record_key,
        college_name,
        name_key,
        previous_college_name,
        previous_name_key,
        address,
        longitude,
        latitude,
        -- a year missing in between closes and opens nothing where the collège is in doubt
        previous_held_number is not null
        and (previous_held_number = held_number - 1 or is_in_doubt) as is_continuing,
        held_number > 1
        and not is_in_doubt
        and coalesce(previous_held_number <> held_number - 1, true) as is_opening,
        not is_in_doubt
        and coalesce(next_held_number <> held_number + 1, true) as is_last_before_gap
    from numbered

)

select * from final
