{#
    Calendar year in which the school year of an IPS starts (rentrée), written as a school year, as
    that year alone or as a date. Null where the text holds no year, and where the school year would
    start after the year in which the portal said so.
#}
{% macro rentree_start(label, extracted_at) -%}
    case
        when {{ school_year_first_start(label) }} <= extract(year from {{ extracted_at }})
            then {{ school_year_first_start(label) }}
    end
{%- endmacro %}
