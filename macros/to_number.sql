{#
    Text as a double, null where it is none: `NA`, `NS` and `ND` mean that there is no value. A
    decimal comma is accepted. `N` becomes a sign no number holds, as NaN and Infinity would cast.
#}
{% macro to_number(text) -%}
    try_cast(translate(upper({{ text }}), ',N', '.?') as double)
{%- endmacro %}
