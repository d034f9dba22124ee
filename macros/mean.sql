{#
    Mean over the rows of a group that have the value, free of what adding floats in another order
    leaves in the last digits: 121.25 is rounded to 121.3 on every engine and in every run.
#}
{% macro mean(value) -%}
    round(avg({{ value }}), 9)
{%- endmacro %}
