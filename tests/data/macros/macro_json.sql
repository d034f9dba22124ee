-- json_text, json_number, json_integer, json_code, json_longitude, json_latitude, json_geometry:
-- rows are the payloads read wrongly
{% set feature -%}
'{"name": " A ", "n": "NA", "i": 86.0, "code": 75120.0,
  "shape": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.25, 48.5]}},
  "point": {"lon": 2.2, "lat": 48.4}}'
{%- endset %}
{% set bare_geometry -%}
'{"name": "", "n": "1.5", "i": "86", "code": "075",
  "shape": {"type": "Point", "coordinates": [2.25, 48.5]}, "point": null}'
{%- endset %}
{% set no_shape -%}
'{"name": null, "n": 1.5, "i": 12.5, "code": 75, "shape": null,
  "point": {"lon": 2.25, "lat": 48.5}}'
{%- endset %}
{% set no_geo = "'{\"i\": 1e300}'" %}

with

examples as (

    select
        {{ json_from_text(feature) }} as payload,
        'A' as trimmed,
        cast(null as double) as n,
        86 as i,
        '75120' as code,
        2.25 as longitude,
        48.5 as latitude,
        true as has_geometry
    union all
    select
        {{ json_from_text(bare_geometry) }} as payload,
        null as trimmed,
        1.5 as n,
        86 as i,
        '075' as code,
        2.25 as longitude,
        48.5 as latitude,
        true as has_geometry
    union all
    select
        {{ json_from_text(no_shape) }} as payload,
        null as trimmed,
        1.5 as n,
        null as i,
        '75' as code,
        2.25 as longitude,
        48.5 as latitude,
        false as has_geometry
    union all
    select
        {{ json_from_text(no_geo) }} as payload,
        null as trimmed,
        null as n,
        null as i,
        null as code,
        null as longitude,
        null as latitude,
        false as has_geometry

)

select code
from examples
where
    {{ json_text('payload', 'name') }} is distinct from trimmed
    or {{ json_number('payload', 'n') }} is distinct from n
    or {{ json_integer('payload', 'i') }} is distinct from i
    or {{ json_code('payload', 'code') }} is distinct from code
    or {{ json_longitude('payload', 'shape', 'point') }} is distinct from longitude
    or {{ json_latitude('payload', 'shape', 'point') }} is distinct from latitude
    or ({{ json_geometry('payload', 'shape') }} is not null) <> has_geometry
