{#
    A collège's name for comparison. Articles stay: LA ROSE BLANCHE became ROSE BLANCHE, which is a
    renaming and not a spelling (docs/data-quality.md).
#}
{% macro normalise_name(name) -%}
    {{ normalise_text(name) }}
{%- endmacro %}
