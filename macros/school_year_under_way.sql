{#
    The school year under way at a moment, as the calendar year in which it started: it changes on
    1 September.
#}
{% macro school_year_under_way(moment) -%}
    case when month({{ moment }}) >= 9 then year({{ moment }}) else year({{ moment }}) - 1 end
{%- endmacro %}
