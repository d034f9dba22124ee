{#
    What casting lost of a payload, as text: `field: what stands there`, one after the other, null
    where nothing was lost. A field counts where it holds something other than a word for no value
    (macro is_no_value) and yet its column is null.

    fields: column name → path in the payload, or a list of paths where the first that can be read counts
#}
{% macro unread_values(payload, fields) -%}
    nullif(
        {%- set listed %}
            {%- for column, paths in fields.items() -%}
            {%- for path in ([paths] if paths is string else paths) %}
            coalesce(
                case
                    when
                        {{ column }} is null
                        and not {{ is_no_value(json_text(payload, path)) }}
                        then '{{ path }}: ' || {{ json_text(payload, path) }} || '; '
                end,
                ''
            )
            {{- '' if loop.last else ' ||' }}
            {%- endfor -%}
            {{- '' if loop.last else ' ||' }}
            {%- endfor %}
        {%- endset %}
        {{ replace_pattern(listed, '; $', '') }},
        ''
    )
{%- endmacro %}
