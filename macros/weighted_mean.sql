{#
    Mean over the rows of a group that have the value and a weight; null where none has. Rounded as
    `mean` is.
#}
{% macro weighted_mean(value, weight) -%}
    round(
        sum({{ weight }} * {{ value }})
        / nullif(sum(case when {{ value }} is not null then {{ weight }} end), 0),
        9
    )
{%- endmacro %}
