-- Records on the portal whose school year does not count: it cannot be read, cannot be true, or has
-- too few records yet. A warning: early records of a new school year are the ordinary case, no mart
-- counts them, and no collège is called closed for them. What the portal took back is listed only
-- where its collège is closed for it, since a record can also be lost; the report has all.
{{ config(severity='warn') }}

with

records_not_counted as (

    select * from {{ ref('rpt_college_record_not_counted') }}

),

closed as (

    select
        college_id,
        school_year
    from {{ ref('fct_college_change') }}
    where change_type = 'closed'

)

select
    records_not_counted.reason,
    records_not_counted.college_name,
    records_not_counted.school_year_label,
    records_not_counted.record_key
from records_not_counted
left join closed
    on
        records_not_counted.college_id = closed.college_id
        and records_not_counted.school_year = closed.school_year
where records_not_counted.reason <> 'retracted' or closed.college_id is not null
