-- School years in which more collèges opened or closed than a city opens or closes (macro
-- too_many_at_once). An error: it is the records that are read wrongly. On the intermediate model
-- that every mart of collèges is made of, so that dbt replaces none of them; a test on a model
-- further down lets those marts pass that are not made of it.
with

school_years as (

    select
        college_id,
        held_number,
        lag(held_number) over (partition by college_id order by held_number) as previous_number,
        lead(held_number) over (partition by college_id order by held_number) as next_number
    from {{ ref('int_college__years_seen') }}
    where status = 'held'

),

latest as (

    select max(held_number) as held_number
    from {{ ref('int_school_year__colleges') }}
    where is_whole

),

counted as (

    select
        held_number,
        count(*) as colleges,
        sum(case when coalesce(previous_number <> held_number - 1, true) then 1 else 0 end)
            as first_seen,
        sum(case when coalesce(next_number <> held_number + 1, true) then 1 else 0 end)
            as last_seen
    from school_years
    group by held_number

)

select
    counted.held_number,
    counted.colleges,
    counted.first_seen,
    counted.last_seen
from counted
cross join latest
where
    -- before the first school year, and after the latest, nothing is known yet
    (
        counted.held_number > 1
        and {{ too_many_at_once('counted.first_seen', 'counted.colleges') }}
    )
    or (
        counted.held_number < latest.held_number
        and {{ too_many_at_once('counted.last_seen', 'counted.colleges') }}
    )
