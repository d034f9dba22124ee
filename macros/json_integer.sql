{#
    The whole number at a path of a payload; the portals also write it as `86.0`. Null where it is
    no whole number of 32 bits: neither rounded to a wrong one, nor the end of the build.
#}
{% macro json_integer(payload, path) -%}
    {%- set number = json_number(payload, path) -%}
    cast(
        case
            when abs({{ number }}) < 2147483648 and {{ number }} = floor({{ number }})
                then {{ number }}
        end as integer
    )
{%- endmacro %}
