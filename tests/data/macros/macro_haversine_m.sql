-- haversine_m: a degree of longitude at 60° N is half a degree of latitude; rows are wrong
with

examples as (

    select examples.*
    from (
        values
        (2.0, 48.0, 2.0, 49.0, 111195.1),
        (2.0, 60.0, 3.0, 60.0, 55597.0),
        (0.0, 0.0, 180.0, 0.0, 20015114.4),
        (2.3, 48.9, 2.3, 48.9, 0.0),
        (2.3, null, 2.3, 48.9, null)
    ) as examples (lon_a, lat_a, lon_b, lat_b, expected)

)

select
    expected,
    {{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} as found
from examples
where
    abs({{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} - expected) > 0.1
    or ({{ haversine_m('lon_a', 'lat_a', 'lon_b', 'lat_b') }} is null) <> (expected is null)
