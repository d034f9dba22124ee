-- haversine_m: a degree of longitude at 60° N is half a degree of latitude; rows are wrong distances
with

cases as (

    select 2.0 as lon_a, 48.0 as lat_a, 2.0 as lon_b, 49.0 as lat_b, 111195.1 as expected
    union all
    select 2.0, 60.0, 3.0, 60.0, 55597.0
    union all
    select 0.0, 0.0, 180.0, 0.0, 20015114.4
    union all
    select 2.3, 48.9, 2.3, 48.9, 0.0
    union all
    select 2.3, cast(null as double), 2.3, 48.9, cast(null as double)

)

select
    expected,
    {{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} as found
from cases
where
    abs({{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} - expected) > 0.1
    or ({{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} is null) <> (expected is null)
