{# The one spelling of a school year, `2019-2020`, from the calendar year in which it starts. #}
{% macro school_year_name(start_year) -%}
    cast({{ start_year }} as varchar) || '-' || cast({{ start_year }} + 1 as varchar)
{%- endmacro %}
