{#
    The house number of an address, at its beginning (`12`, `n° 12`) or after a comma at its end, null
    where there is none; `3-5` is 3.
#}
{% macro address_number(address) -%}
    try_cast(
        coalesce(
            {{ first_match(
                first_match(normalise_text(address), '^((N|NO|NUMERO) )?[0-9]{1,4}'), '[0-9]+$'
            ) }},
            {{ first_match(first_match(address, ', *[0-9]{1,4} *$'), '[0-9]+') }}
        ) as integer
    )
{%- endmacro %}
