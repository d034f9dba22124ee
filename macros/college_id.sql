{# The id a collège gets from its identity key; see int_college__identities. #}
{% macro college_id(identity_key) -%}
    'c' || substr(md5({{ identity_key }}), 1, 12)
{%- endmacro %}
