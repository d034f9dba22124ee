{# The number at a path of a payload, written as a number or as text; see json_text, to_number. #}
{% macro json_number(payload, path, out_of=none) -%}
    {{ to_number(json_text(payload, path), out_of) }}
{%- endmacro %}
