{# The house number an address begins with, null where it begins with none; `3-5` is 3. #}
{% macro address_number(address) -%}
    try_cast({{ first_match(normalise_text(address), '^[0-9]{1,4}') }} as integer)
{%- endmacro %}
