{#
    Great-circle distance in metres (mean Earth radius 6 371 008.8 m), rounded so that both engines
    agree: to the decimetre, or to `decimals`. Whoever wants metres asks for 0, since rounding a
    rounded value once more is off by one at every twentieth. Null where a coordinate is null
    (DuckDB's least and greatest skip nulls, hence the guard). Plain trigonometry: the engines' own
    functions differ in radius and unit.
#}
{% macro haversine_m(longitude_a, latitude_a, longitude_b, latitude_b, decimals=1) -%}
    case
        when
            {{ longitude_a }} + {{ latitude_a }} + {{ longitude_b }} + {{ latitude_b }} is not null
            then
                round(2 * 6371008.8 * asin(sqrt(least(1.0, greatest(0.0,
                    power(sin(radians({{ latitude_b }} - {{ latitude_a }}) / 2), 2)
                    + cos(radians({{ latitude_a }})) * cos(radians({{ latitude_b }}))
                    * power(sin(radians({{ longitude_b }} - {{ longitude_a }}) / 2), 2)
                )))), {{ decimals }})
    end
{%- endmacro %}
