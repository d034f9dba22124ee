{#
    The street of an address, for normalise_street: without number, repetition (`bis`, `B`) and what
    stands in brackets.
#}
{% macro address_street(address) -%}
    {%- set bare = normalise_text(replace_pattern(address, '[(].*$', '')) -%}
    {{ replace_pattern(bare, '^[0-9]+( [0-9]+)*( ?(BIS|TER|QUATER|[A-C]))? ', '') }}
{%- endmacro %}
