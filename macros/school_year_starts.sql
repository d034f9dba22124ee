{#
    First and last school year that a label covers, each as the calendar year in which it starts.
    Known shapes, with any sign between the numbers: `2020-2021`, `20202021`, `2020/21`,
    `Rentrée 2020` (all 2020 and 2020), and two school years in a row, `2017/2018 - 2018/2019` (2017
    and 2018). `Année scolaire` may stand before it. Null for everything else: two years that do not
    follow one another, a longer range, a lone year, which could open or close a school year, and a
    label that says more than the year.
#}
{% macro school_year_first_start(label) -%}
    {{ _school_year_part(label, 'left') }}
{%- endmacro %}

{# See school_year_first_start. #}
{% macro school_year_last_start(label) -%}
    {{ _school_year_part(label, 'right') }}
{%- endmacro %}

{#- Patterns find a shape, the digits are then compared: neither engine compares within a pattern. -#}
{% macro _school_year_part(label, side) -%}
    {%- set words = replace_pattern(normalise_text(label), '^(ANNEE )?(SCOLAIRE )?', '') -%}
    {%- set digits = replace_pattern(words, '[^0-9]+', '') -%}
    {%- set first = 'try_cast(substr(' ~ digits ~ ', 1, 4) as integer)' -%}
    {%- set last = 'try_cast(substr(' ~ digits ~ ', 9, 4) as integer)' -%}
    case
        when {{ first_match(words, '^RENTREE (SCOLAIRE )?[0-9]{4}$') }} is not null
            then {{ first }}
        when
            {{ first_match(words, '^[0-9]{4} ?[0-9]{4}$') }} is not null
            and try_cast(substr({{ digits }}, 5, 4) as integer) = {{ first }} + 1
            then {{ first }}
        when
            {{ first_match(words, '^[0-9]{4} [0-9]{2}$') }} is not null
            and try_cast(substr({{ digits }}, 5, 2) as integer) = mod({{ first }} + 1, 100)
            then {{ first }}
        when
            {{ first_match(words, '^[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}$') }} is not null
            and try_cast(substr({{ digits }}, 5, 4) as integer) = {{ first }} + 1
            and {{ last }} = {{ first }} + 1
            and try_cast(substr({{ digits }}, 13, 4) as integer) = {{ last }} + 1
            then {{ first if side == 'left' else last }}
    end
{%- endmacro %}
