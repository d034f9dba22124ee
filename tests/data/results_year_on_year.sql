-- School years whose success rate, over all collèges, is more than ten points from the year before:
-- the city moved by two at most from session to session, so the scale, the column or the selection
-- is another. An error: every comparison over time would be wrong.
with

school_years as (

    select * from {{ ref('agg_school_year') }}

),

compared as (

    select
        school_year,
        success_rate_pct,
        lag(success_rate_pct) over (order by school_year) as success_rate_pct_before
    from school_years
    where success_rate_pct is not null

)

select
    school_year,
    success_rate_pct,
    success_rate_pct_before
from compared
where abs(success_rate_pct - success_rate_pct_before) > 10
