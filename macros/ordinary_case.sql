{#
    A name in capitals as one writes it: GUY FLAVIEN gives `Guy Flavien`, JANSON DE SAILLY `Janson
    de Sailly`, HENRI IV `Henri IV`.
#}
{% macro ordinary_case(name) -%}
    {%- set words = {
        ' De ': ' de ', ' Du ': ' du ', ' Des ': ' des ', ' La ': ' la ', ' Le ': ' le ',
        ' Les ': ' les ', ' Et ': ' et ', " D'": " d'", " L'": " l'", ' En ': ' en ',
        ' Sur ': ' sur ', ' Ii ': ' II ', ' Iii ': ' III ', ' Iv ': ' IV ', ' Xiii ': ' XIII ',
        ' Xiv ': ' XIV ', ' Xv ': ' XV ', ' Xxiii ': ' XXIII ',
    } -%}
    {%- set text = namespace(out="' ' || " ~ capitalised_words(name) ~ " || ' '") -%}
    {%- for capitalised, ordinary in words.items() -%}
        {%- set text.out = "replace(" ~ text.out ~ ", '" ~ capitalised | replace("'", "''")
            ~ "', '" ~ ordinary | replace("'", "''") ~ "')" -%}
    {%- endfor -%}
    trim({{ text.out }})
{%- endmacro %}

{# Each word with a capital first letter, the rest in small letters. #}
{% macro capitalised_words(text) -%}
    {{ return(adapter.dispatch('capitalised_words', 'paris_colleges')(text)) }}
{%- endmacro %}

{#- A word begins after a blank, a hyphen or an apostrophe, as initcap has it. -#}
{% macro duckdb__capitalised_words(text) -%}
    array_to_string(
        list_transform(
            regexp_extract_all(lower({{ text }}), '[^ ''-]+[ ''-]*'),
            lambda word: upper(word[1]) || word[2:]
        ),
        ''
    )
{%- endmacro %}

{% macro snowflake__capitalised_words(text) -%}
    initcap({{ text }}, ' ''-')
{%- endmacro %}
