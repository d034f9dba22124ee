{#
    Whether two normalised names can be of one school that something else (a UAI, an address) already
    holds together: similar (macro name_similarity), or the same last word behind the same initial,
    as G BRASSENS and GEORGES BRASSENS. Too weak to find a school by.
#}
{% macro names_agree(name_a, name_b) -%}
    {{ name_similarity(name_a, name_b) }} >= {{ var('name_similarity_floor') }}
    or (
        left({{ name_a }}, 1) = left({{ name_b }}, 1)
        and {{ first_match(name_a, ' [A-Z0-9]+$') }} = {{ first_match(name_b, ' [A-Z0-9]+$') }}
    )
{%- endmacro %}
