{#
    The columns of a row whose value lies outside its bounds, as text: `column: value`, one after the
    other, null where all lie within. A whole number is written without `.0`, which DuckDB adds.

    bounds: column name → lowest and highest value
#}
{% macro out_of_range(bounds) -%}
    nullif(
        {%- set listed %}
            {%- for column, range in bounds.items() %}
            case
                when not coalesce({{ column }} between {{ range[0] }} and {{ range[1] }}, true)
                    then '{{ column }}: ' || {{
                        replace_pattern('cast(' ~ column ~ ' as varchar)', '[.]0+$', '')
                    }} || '; '
                else ''
            end
            {{- '' if loop.last else ' ||' }}
            {%- endfor %}
        {%- endset %}
        {{ replace_pattern(listed, '; $', '') }},
        ''
    )
{%- endmacro %}
