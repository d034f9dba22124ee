{#
    Lower (`sign` '-') or upper ('+') bound of the 95 % Wilson score interval of a share: between 0
    and 1 also for small numbers and for shares of 0 and 1, where the usual ± would say 0 or leave
    the range. Null where a part is null or nobody counted.

    share: from 0 to 1
    size: number of those the share is of
#}
{% macro wilson_bound(share, size, sign) -%}
    {%- set z = 1.96 -%}
    (
        {{ share }} + {{ z * z }} / (2.0 * nullif({{ size }}, 0))
        {{ sign }} {{ z }} * sqrt(
            {{ share }} * (1.0 - {{ share }}) / nullif({{ size }}, 0)
            + {{ z * z }} / (4.0 * nullif({{ size }}, 0) * nullif({{ size }}, 0))
        )
    ) / (1.0 + {{ z * z }} / nullif({{ size }}, 0))
{%- endmacro %}
