{# The code at a path of a payload: text, also where a portal sends it as a number (75 or 75.0). #}
{% macro json_code(payload, path) -%}
    {{ replace_pattern(json_text(payload, path), '[.]0+$', '') }}
{%- endmacro %}
