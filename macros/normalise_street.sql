{#
    The name of a street for comparison: as normalise_text, with the abbreviations of
    `var('street_spelling')` written out, articles left out, and no space: RUE DE L ESSAI, r. de
    l’Essai and RUE ESSAI are one, as are RUE LA FAYETTE and RUE LAFAYETTE. Null where nothing is left.
#}
{% macro normalise_street(street) -%}
    {%- set spelling = var('street_spelling') -%}
    {%- set out = namespace(sql="'^' || " ~ normalise_text(street) ~ " || ' '") -%}
    {%- for short, long in spelling.kinds.items() -%}
        {%- set out.sql = "replace(" ~ out.sql ~ ", '^" ~ short ~ " ', '^" ~ long ~ " ')" -%}
    {%- endfor -%}
    {%- set out.sql = "replace(" ~ out.sql ~ ", '^', ' ')" -%}
    {%- for short, long in spelling.words.items() -%}
        {%- set out.sql = "replace(" ~ out.sql ~ ", ' " ~ short ~ " ', ' " ~ long ~ " ')" -%}
    {%- endfor -%}
    {%- for article in spelling.articles -%}
        {%- set out.sql = "replace(" ~ out.sql ~ ", ' " ~ article ~ " ', ' ')" -%}
    {%- endfor -%}
    nullif(replace({{ out.sql }}, ' ', ''), '')
{%- endmacro %}
