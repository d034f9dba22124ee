{#
    Calendar year of an exam session, written `2023`, as a date (`2023-07-01`, `01/07/2023`) or in
    words that hold one year (`session 2023`). Null where the text holds none or two, and where the
    exam would lie after the year in which the portal said so: a mistyped 2203 is no session.
#}
{% macro exam_session(text, extracted_at) -%}
    {%- set year = first_match(text, '(19|20)[0-9]{2}') -%}
    case
        when
            length({{ replace_pattern(text, '(19|20)[0-9]{2}', '') }}) = length({{ text }}) - 4
            and try_cast({{ year }} as integer) <= extract(year from {{ extracted_at }})
            then try_cast({{ year }} as integer)
    end
{%- endmacro %}
