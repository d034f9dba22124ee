{#
    Whether a text is a word for no value: the ministry's NA, NS (not significant), ND (not
    available), NC (not communicated), with dots or without, or a dash. Never null.
#}
{% macro is_no_value(text) -%}
    coalesce(upper(replace({{ text }}, '.', '')) in ('NA', 'NS', 'ND', 'NC', '-'), false)
{%- endmacro %}
