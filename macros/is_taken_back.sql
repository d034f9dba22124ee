{#
    Whether a withdrawn result was taken back: it went while its session stayed, by the share that
    makes one whole. One that went with its session is the past, which portals erase, also where a
    record of it was left.
#}
{% macro is_taken_back(is_withdrawn, is_public, partition_by, members) -%}
    coalesce(
        {{ is_withdrawn }}
        and sum(
            case
                when not {{ is_withdrawn }} and coalesce({{ is_public }}, true)
                    then 1
                else 0
            end
        ) over (partition by {{ partition_by }})
        >= {{ var('school_year_floor') }} * {{ members }},
        false
    )
{%- endmacro %}
