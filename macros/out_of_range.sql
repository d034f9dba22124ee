{#
    The columns of a row whose value lies outside its bounds, as text: `column: value`, one after the
    other, null where all lie within.

    bounds: column name → lowest and highest value
#}
{% macro out_of_range(bounds) -%}
    nullif(
        {%- set listed %}
            {%- for column, range in bounds.items() %}
            case
                when not coalesce({{ column }} between {{ range[0] }} and {{ range[1] }}, true)
                    then '{{ column }}: ' || cast({{ column }} as varchar) || '; '
                else ''
            end
            {{- '' if loop.last else ' ||' }}
            {%- endfor %}
        {%- endset %}
        {{ replace_pattern(listed, '; $', '') }},
        ''
    )
{%- endmacro %}
