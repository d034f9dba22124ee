-- Two collèges of one school year within 30 m of each other: one school under two names, more often
-- than two in one building. A warning: the marts say what the portal says, and a person looks.
{{ config(severity='warn') }}

with

distances as (

    select * from {{ ref('fct_college_distance') }}

)

select
    school_year,
    college_id_a,
    college_id_b,
    distance_km
from distances
where distance_km < 0.03
