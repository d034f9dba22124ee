{# Levenshtein distance between two texts. #}
{% macro edit_distance(text_a, text_b) -%}
    {{ return(adapter.dispatch('edit_distance', 'paris_colleges')(text_a, text_b)) }}
{%- endmacro %}

{% macro duckdb__edit_distance(text_a, text_b) -%}
    levenshtein({{ text_a }}, {{ text_b }})
{%- endmacro %}

{% macro snowflake__edit_distance(text_a, text_b) -%}
    editdistance({{ text_a }}, {{ text_b }})
{%- endmacro %}
