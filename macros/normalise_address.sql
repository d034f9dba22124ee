{#
    A street address for comparison: as normalise_text, with the usual abbreviations of the kind of
    street written out and no space left, since the city writes MAC DONALD and MACDONALD.
#}
{% macro normalise_address(address) -%}
    {%- set abbreviations = {
        'AV': 'AVENUE', 'AVE': 'AVENUE', 'BD': 'BOULEVARD', 'BLD': 'BOULEVARD',
        'BVD': 'BOULEVARD', 'PL': 'PLACE', 'SQ': 'SQUARE', 'IMP': 'IMPASSE', 'ALL': 'ALLEE',
        'PASS': 'PASSAGE', 'FG': 'FAUBOURG', 'FBG': 'FAUBOURG',
    } -%}
    {%- set spelled = namespace(out="' ' || " ~ normalise_text(address) ~ " || ' '") -%}
    {%- for short, long in abbreviations.items() -%}
        {%- set spelled.out = "replace(" ~ spelled.out ~ ", ' " ~ short ~ " ', ' " ~ long ~ " ')" -%}
    {%- endfor -%}
    replace({{ spelled.out }}, ' ', '')
{%- endmacro %}
