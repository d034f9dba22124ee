{#
    Text for comparison: upper case, without accents, every other sign than A-Z and 0-9 a single
    space, no space around. Null where nothing is left.

    `translate` because Snowflake has no function for accents that a test without an account could
    run; the last five characters are combining accents, which it drops as it has no partner for them.
#}
{% macro normalise_text(text) -%}
    {%- set upper_case -%}
        replace(replace(upper({{ text }}), 'Œ', 'OE'), 'Æ', 'AE')
    {%- endset -%}
    {%- set plain -%}
        translate(
            {{ upper_case }},
            'ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝŸ{{ "\u0300\u0301\u0302\u0308\u0327" }}',
            'AAAAAACEEEEIIIINOOOOOUUUUYY'
        )
    {%- endset -%}
    nullif(trim({{ replace_pattern(plain, '[^A-Z0-9]+', ' ') }}), '')
{%- endmacro %}
