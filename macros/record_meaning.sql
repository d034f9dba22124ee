{#
    What a record key means, for comparison: the portals write one key in several ways, which makes two
    records of it. Names as directory_name_key has them; a school year, an exam session or a date at the
    end as the first and last school year it holds, so that `2020/2021`, `2020-2021` and `2020` are
    one, and so are `2023` and `2023-07-01`.
#}
{% macro record_meaning(record_key) -%}
    {%- set last_part = first_match(record_key, ',[^,]*$') -%}
    {%- set first_year = "try_cast(" ~ first_match(last_part, '(19|20)[0-9]{2}') ~ " as integer)" -%}
    {%- set last_year -%}
        try_cast(
            reverse({{ first_match('reverse(' ~ last_part ~ ')', '[0-9]{2}(91|02)') }}) as integer
        )
    {%- endset -%}
    case
        when {{ first_year }} is null then {{ normalise_text(record_key) }}
        else
            coalesce(
                {{ directory_name_key(normalise_text(
                    'left(' ~ record_key ~ ', length(' ~ record_key ~ ') - length(' ~ last_part ~ '))'
                )) }},
                ''
            )
            || '|' || cast({{ first_year }} as varchar)
            || '-' || cast(greatest({{ last_year }} - 1, {{ first_year }}) as varchar)
    end
{%- endmacro %}
