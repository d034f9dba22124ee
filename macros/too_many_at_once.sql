{#
    Whether more collèges changed in one way, from one school year to the next, than a city changes:
    then it is the records that are written, or read, otherwise.
#}
{% macro too_many_at_once(changed, colleges) -%}
    {{ changed }} > greatest(
        {{ var('changes_at_once') }}, {{ var('changes_at_once_share') }} * {{ colleges }}
    )
{%- endmacro %}
