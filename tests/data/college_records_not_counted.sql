-- Records on the portal whose school year does not count: it cannot be read, cannot be true, or has
-- too few records yet. A warning: early records of a new school year are the ordinary case, no mart
-- counts them, and no collège is called closed for them. What the portal took back is listed only
-- where its collège is closed for it, or opened in the next school year held (before the first one
-- nothing can close), since a record can also be lost; the report has all.
{{ config(severity='warn') }}

with

records_not_counted as (

    select * from {{ ref('rpt_college_record_not_counted') }}

),

changes as (

    select * from {{ ref('fct_college_change') }}

),

held_school_years as (

    select
        school_year,
        lag(school_year) over (order by school_year) as school_year_before
    from {{ ref('dim_school_year') }}
    where is_held

),

-- the school year that a collège was held in no more, or not yet
missing as (

    select distinct
        changes.college_id,
        case
            when changes.change_type = 'closed' then changes.school_year
            else held_school_years.school_year_before
        end as school_year
    from changes
    inner join held_school_years
        on changes.school_year = held_school_years.school_year
    where changes.change_type in ('closed', 'opened')

)

select
    records_not_counted.reason,
    records_not_counted.college_name,
    records_not_counted.school_year_label,
    records_not_counted.record_key
from records_not_counted
left join missing
    on
        records_not_counted.college_id = missing.college_id
        and records_not_counted.school_year = missing.school_year
where records_not_counted.reason <> 'retracted' or missing.college_id is not null
