{# Mean over the rows of a group that have the value and a weight; null where none has. #}
{% macro weighted_mean(value, weight) -%}
    sum({{ weight }} * {{ value }})
    / nullif(sum(case when {{ value }} is not null then {{ weight }} end), 0)
{%- endmacro %}
