-- A sector has as many rows in the bridge as collèges of it were found; nothing else is there.
with

sectors as (

    select * from {{ ref('fct_sector_school_year') }}

),

bridge as (

    select * from {{ ref('bridge_sector_college') }}

),

counted as (

    select
        sector_name,
        school_year,
        count(*) as rows_in_bridge
    from bridge
    group by sector_name, school_year

)

select
    sectors.sector_name,
    sectors.school_year,
    sectors.colleges_matched,
    counted.sector_name as sector_in_bridge,
    counted.school_year as school_year_in_bridge,
    counted.rows_in_bridge
from sectors
full outer join counted
    on
        sectors.sector_name = counted.sector_name
        and sectors.school_year = counted.school_year
where coalesce(sectors.colleges_matched, -1) <> coalesce(counted.rows_in_bridge, 0)
