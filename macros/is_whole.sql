{#
    Whether a school year has enough to be what it says it is, and no early part of it: first
    records, or a typing error, are a few. It is held against the fullest before it, and, since the
    first has none before it, against the fullest of all.
#}
{% macro is_whole(members, order_by, partition_by=none, fullest=none) -%}
    {%- set partition = 'partition by ' ~ partition_by if partition_by else '' -%}
    (
        {{ members }} >= {{ var('school_year_floor') }} * coalesce(
            max({{ fullest or members }}) over (
                {{ partition }} order by {{ order_by }}
                rows between unbounded preceding and 1 preceding
            ), 0
        )
        and {{ members }}
        >= {{ var('school_year_floor_of_all') }}
        * max({{ fullest or members }}) over ({{ partition }})
    )
{%- endmacro %}
