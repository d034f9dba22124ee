{#
    Calendar year in which the school year starts that data first published at a time are for: from
    July on the year that begins in September, before that the one that is under way.
#}
{% macro school_year_start_of(published_at) -%}
    cast(
        extract(year from {{ published_at }})
        - case when extract(month from {{ published_at }}) >= 7 then 0 else 1 end
        as integer
    )
{%- endmacro %}
