{# A point as text, longitude first, in degrees to the decimetre: `2.310037, 48.889335`. #}
{% macro point_text(longitude, latitude) -%}
    cast(round({{ longitude }}, 6) as varchar) || ', ' || cast(round({{ latitude }}, 6) as varchar)
{%- endmacro %}
