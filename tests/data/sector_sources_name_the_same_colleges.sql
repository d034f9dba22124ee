-- Collèges that have a sector in the city's latest outlines and no street range of the ministry, or
-- the other way round. A warning: outlines and ranges are of different years, so one of the two may
-- be older. Where both name a collège and differ at an address: rpt_sector_disagreement.
{{ config(severity='warn') }}

with

bridge as (

    select * from {{ ref('bridge_sector_college') }}

),

ranges as (

    select * from {{ ref('fct_street_range_college') }}

),

with_outline as (

    select distinct college_id
    from bridge
    where school_year in (select max(latest.school_year) from bridge as latest)

),

with_range as (

    select distinct college_id
    from ranges
    where is_current and college_id is not null

)

select
    coalesce(with_outline.college_id, with_range.college_id) as college_id,
    with_outline.college_id is not null as has_outline,
    with_range.college_id is not null as has_range
from with_outline
full outer join with_range on with_outline.college_id = with_range.college_id
where
    (with_outline.college_id is null or with_range.college_id is null)
    and exists (select 1 from bridge)
    and exists (select 1 from ranges)
