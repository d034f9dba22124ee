-- Records on the portal whose school year does not count: it cannot be read, cannot be true, or has
-- too few records yet. A warning: early records of a new school year are the ordinary case, no mart
-- counts them, and no collège is called closed for them. What the portal took back is not listed
-- here, but in the report.
{{ config(severity='warn') }}

select
    reason,
    college_name,
    school_year_label,
    record_key
from {{ ref('rpt_college_record_not_counted') }}
where reason <> 'retracted'
