-- Collèges of a sector that the collège dataset does not hold in that school year, though it holds
-- the year: the sector was led to a collège that was closed, or not yet open. A warning: a sector
-- may be published before the collège it is for.
{{ config(severity='warn') }}

with

bridge as (

    select * from {{ ref('bridge_sector_college') }}

),

held as (

    select * from {{ ref('fct_college_school_year') }}

)

select
    bridge.sector_name,
    bridge.school_year,
    bridge.college_id
from bridge
where
    bridge.school_year in (select held.school_year from held)
    and not exists (
        select 1 from held
        where held.college_id = bridge.college_id and held.school_year = bridge.school_year
    )
