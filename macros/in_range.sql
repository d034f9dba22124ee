{# A value where it lies between two bounds, both included, else null. #}
{% macro in_range(value, bounds) -%}
    case when {{ value }} between {{ bounds[0] }} and {{ bounds[1] }} then {{ value }} end
{%- endmacro %}
