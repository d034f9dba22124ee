{# The strip of a five-hundredth of a degree of latitude, 222 m, that a latitude lies in. #}
{% macro latitude_band(latitude) -%}
    cast(floor({{ latitude }} * 500) as integer)
{%- endmacro %}
