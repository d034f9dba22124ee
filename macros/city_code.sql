{#
    The city an INSEE code belongs to: the code without its last two digits, 751 for the twenty
    arrondissements of Paris (75101 to 75120).
#}
{% macro city_code(insee_code) -%}
    left({{ insee_code }}, length({{ insee_code }}) - 2)
{%- endmacro %}
