-- A warning and not an error: the city is free to name a collège in its sectors before, or spelled
-- otherwise than, in its list of collèges. The bridge is right without it, only not complete.
{{ config(severity='warn') }}

select
    record_key,
    school_year,
    college_name
from {{ ref('rpt_record_without_college') }}
where dataset = 'secteurs-scolaires-colleges'
