-- A school year begins on 1 September and ends on 31 August.
select
    school_year,
    count(*) as day_count
from {{ ref('time_spine_daily') }}
group by school_year
having count(*) not in (365, 366)
