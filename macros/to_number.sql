{#
    Text as a double, null where it is none. Read are a decimal comma, a space between thousands
    (also a no-break one), the typographic minus, a per cent sign and the asterisk of a footnote
    behind the number, and with `out_of` a mark as `11.3/20`. `>150` is no number but a bound, and
    `1.234,5` could be two: neither is guessed at (macro unread_values counts them).

    out_of: what a mark is out of, 20
#}
{% macro to_number(text, out_of=none) -%}
    {%- set signs = "\u2212\u2013\u00a0\u202f\u2009" -%}
    {%- set ends = '([ ]*/[ ]*' ~ out_of ~ ')?[ %*]*$' if out_of else '[ %*]+$' -%}
    {%- set written -%}
        {{ replace_pattern(
            "trim(translate(upper(" ~ text ~ "), '," ~ signs ~ "', '.--   '))", ends, ''
        ) }}
    {%- endset -%}
    try_cast(
        coalesce(
            {{ first_match(written, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(E[+-]?[0-9]+)?$') }},
            replace(
                {{ first_match(written, '^[+-]?[0-9]{1,3}( [0-9]{3})+([.][0-9]+)?$') }}, ' ', ''
            )
        ) as double
    )
{%- endmacro %}
