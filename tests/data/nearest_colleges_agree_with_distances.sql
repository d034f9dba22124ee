-- Two models measure the same distances by different ways, pairs of a city and cells of a grid:
-- collèges on which they disagree. A neighbour in another city may be nearer than all of one's own.
with

distances as (

    select * from {{ ref('fct_college_distance') }}

),

neighbourhoods as (

    select * from {{ ref('fct_college_neighbourhood') }}

),

both_ways as (

    select
        school_year,
        college_id_a as college_id,
        college_id_b as neighbour_college_id,
        distance_km
    from distances

    union all

    select
        school_year,
        college_id_b as college_id,
        college_id_a as neighbour_college_id,
        distance_km
    from distances

),

by_pairs as (

    select
        school_year,
        college_id,
        min(distance_km) as nearest_km,
        count(case when distance_km <= 1 then 1 end) as colleges_within_1_km
    from both_ways
    group by school_year, college_id

)

select
    by_pairs.school_year,
    by_pairs.college_id,
    by_pairs.nearest_km as nearest_km_by_pairs,
    neighbourhoods.nearest_km,
    neighbourhoods.colleges_within_1_km
from by_pairs
inner join neighbourhoods
    on
        by_pairs.school_year = neighbourhoods.school_year
        and by_pairs.college_id = neighbourhoods.college_id
left join both_ways as nearest_pair
    on
        neighbourhoods.school_year = nearest_pair.school_year
        and neighbourhoods.college_id = nearest_pair.college_id
        and neighbourhoods.nearest_college_id = nearest_pair.neighbour_college_id
where
    neighbourhoods.nearest_km is null
    or neighbourhoods.nearest_km > by_pairs.nearest_km
    or neighbourhoods.colleges_within_1_km < by_pairs.colleges_within_1_km
    or nearest_pair.distance_km <> neighbourhoods.nearest_km
