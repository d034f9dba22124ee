{#
    Text as a date, null where it is none. The portals write the same date as `2023`, `2023-09`,
    `2023-09-01` or a full timestamp; what is missing counts as the first.
#}
{% macro to_date_or_null(text) -%}
    try_cast(
        case length({{ text }})
            when 4 then {{ text }} || '-01-01'
            when 7 then {{ text }} || '-01'
            else substr({{ text }}, 1, 10)
        end as date
    )
{%- endmacro %}
