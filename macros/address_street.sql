{#
    The street of an address, for normalise_street: without number, repetition (`bis`, `B`), postal
    code and town, and what stands in brackets. The number may stand before it (`12`, `n° 12`) or,
    after a comma, behind it. Null where the words say that there is no address.
#}
{% macro address_street(address) -%}
    {%- set number_or_town_behind = ', *([0-9]{1,4}|[Pp](aris|ARIS)( [^,]*)?) *$' -%}
    {%- set bare = replace_pattern(address, '[(].*$', '') -%}
    {%- set bare = without_town(normalise_text(replace_pattern(bare, number_or_town_behind, ''))) -%}
    {%- set bare = replace_pattern(
        bare, '^((N|NO|NUMERO) )?[0-9]+( [0-9]+)*( ?(BIS|TER|QUATER|[A-C]))? ', ''
    ) -%}
    {%- set nothing =
        '^(N[ACDR]|N [ACDR]|NEANT|(ADRESSE )?(INCONNUE?|NON (RENSEIGNE|COMMUNIQUE|DISPONIBLE)E?))$'
    -%}
    nullif({{ replace_pattern(bare, nothing, '') }}, '')
{%- endmacro %}

{# A normalised address without the postal code of Paris, and what follows it. #}
{% macro without_town(address) -%}
    {{ replace_pattern(address, ' 75[0-9]{3}( .*)?$', '') }}
{%- endmacro %}
