-- Renamings and moves of so many collèges in one school year that the marts take them for another
-- way of writing, and list none as an event. A warning: nothing is wrong in the marts, and a person
-- should look at what the portal changed.
{{ config(severity='warn') }}

select
    school_year,
    change_type,
    count(*) as changes_at_once,
    min(from_value) as example_from,
    min_by(to_value, from_value) as example_to
from {{ ref('int_college__changes') }}
where is_way_of_writing
group by school_year, change_type
