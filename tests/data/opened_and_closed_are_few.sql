-- School years in which more than a tenth of the collèges, and more than five, opened or closed. An
-- error: no city does that, it is the records that are read wrongly. On the intermediate model that
-- every mart of collèges is made of, so that dbt replaces none of them; a test on a model further
-- down lets those marts pass that are not made of it.
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
    greatest(
        -- before the first school year, and after the latest, nothing is known yet
        case when counted.held_number > 1 then counted.first_seen else 0 end,
        case when counted.held_number < latest.held_number then counted.last_seen else 0 end
    ) > greatest(5, 0.1 * counted.colleges)
