{#
    A normalised name as it is compared between sources and years: COLLEGE (CLG, COLLEGE PUBLIC) at
    the start and at the end dropped, ST and STE written out, Roman numerals from II to XXIII as
    digits (HENRI IV, HENRI 4).
#}
{% macro directory_name_key(name_key) -%}
    {%- set spellings = {
        'ST': 'SAINT', 'STE': 'SAINTE', 'II': '2', 'III': '3', 'IV': '4', 'VI': '6', 'VII': '7',
        'VIII': '8', 'IX': '9', 'XI': '11', 'XII': '12', 'XIII': '13', 'XIV': '14', 'XV': '15',
        'XVI': '16', 'XVIII': '18', 'XXIII': '23',
    } -%}
    {%- set name = namespace(
        out="' ' || " ~ without_kind(name_key) ~ " || ' '"
    ) -%}
    {%- for short, long in spellings.items() -%}
        {%- set name.out = "replace(" ~ name.out ~ ", ' " ~ short ~ " ', ' " ~ long ~ " ')" -%}
    {%- endfor -%}
    trim({{ name.out }})
{%- endmacro %}

{# A name in capitals without the word for its kind. #}
{% macro without_kind(name) -%}
    {{ replace_pattern(
        name, '^(COLLEGE|CLG)( PUBLIC)? | [(]?(COLLEGE|COLLÈGE|CLG)( PUBLIC)?[)]?$', ''
    ) }}
{%- endmacro %}
