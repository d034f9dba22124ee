{#
    Every value that is not null lies within its bounds, both included.

    bounds: column name -> [least, greatest], null for none
#}
{% test within(model, bounds) %}

select *
from {{ model }}
where
    false
{%- for column, (least, greatest) in bounds.items() %}
{%- if least is not none %}
    or {{ column }} < {{ least }}
{%- endif %}
{%- if greatest is not none %}
    or {{ column }} > {{ greatest }}
{%- endif %}
{%- endfor %}

{% endtest %}
