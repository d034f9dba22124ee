{# The calendar year in which the school year of a moment started: it changes on 1 September. #}
{% macro school_year_start_of(moment) -%}
    case when month({{ moment }}) >= 9 then year({{ moment }}) else year({{ moment }}) - 1 end
{%- endmacro %}
