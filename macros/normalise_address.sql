{#
    A street address for comparison: as normalise_text, with the usual abbreviations written out and
    no space left, since the city writes MAC DONALD and MACDONALD.
#}
{% macro normalise_address(address) -%}
    replace({{ address_words(address) }}, ' ', '')
{%- endmacro %}

{# The words of a street address without its town, abbreviations written out, one space between. #}
{% macro address_words(address) -%}
    {%- set abbreviations = {
        'AV': 'AVENUE', 'AVE': 'AVENUE', 'BD': 'BOULEVARD', 'BLD': 'BOULEVARD',
        'BVD': 'BOULEVARD', 'PL': 'PLACE', 'SQ': 'SQUARE', 'IMP': 'IMPASSE', 'ALL': 'ALLEE',
        'PASS': 'PASSAGE', 'FG': 'FAUBOURG', 'FBG': 'FAUBOURG', 'ST': 'SAINT', 'STE': 'SAINTE',
        'DR': 'DOCTEUR', 'GAL': 'GENERAL', 'PR': 'PROFESSEUR',
    } -%}
    {%- set spelled = namespace(out="' ' || " ~ without_town(normalise_text(address)) ~ " || ' '") -%}
    {%- for short, long in abbreviations.items() -%}
        {%- set spelled.out = "replace(" ~ spelled.out ~ ", ' " ~ short ~ " ', ' " ~ long ~ " ')" -%}
    {%- endfor -%}
    trim({{ spelled.out }})
{%- endmacro %}
