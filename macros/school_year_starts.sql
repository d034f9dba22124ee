{#
    First and last school year that a label covers, each as the calendar year in which it starts:
    `2020-2021`, `2020/2021` and `2020` give 2020 and 2020, `2017/2018 - 2018/2019` 2017 and 2018.
    Null where the label holds no year.
#}
{% macro school_year_first_start(label) -%}
    try_cast({{ first_match(label, '[0-9]{4}') }} as integer)
{%- endmacro %}

{% macro school_year_last_start(label) -%}
    {#- the last four digits of the label close its last school year -#}
    {%- set last_year -%}
        try_cast(reverse({{ first_match('reverse(' ~ label ~ ')', '[0-9]{4}') }}) as integer)
    {%- endset -%}
    greatest({{ last_year }} - 1, {{ school_year_first_start(label) }})
{%- endmacro %}
