-- School years in which more than a tenth of the collèges, and more than five, opened or closed. An
-- error, and on an intermediate model, so that no mart is replaced: no city does that, it is the
-- records that are read wrongly.
with

school_years as (

    select * from {{ ref('int_college__sequence') }}

),

held_school_years as (

    select * from {{ ref('int_school_year__colleges') }}
    where is_whole

),

counted as (

    select
        held_number,
        count(*) as colleges,
        sum(case when is_opening then 1 else 0 end) as opened,
        sum(case when is_last_before_gap then 1 else 0 end) as last_seen
    from school_years
    group by held_number

),

latest as (

    select max(held_number) as held_number from held_school_years

)

select
    counted.held_number,
    counted.colleges,
    counted.opened,
    counted.last_seen
from counted
cross join latest
where
    greatest(
        counted.opened,
        -- after the latest school year nothing is closed yet
        case when counted.held_number < latest.held_number then counted.last_seen else 0 end
    ) > greatest(5, 0.1 * counted.colleges)
