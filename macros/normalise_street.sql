{#
    The name of a street for comparison: as normalise_text, with the abbreviations of
    `var('street_spelling')` written out, articles left out, and no space: RUE DE L ESSAI, r. de
    l’Essai and RUE ESSAI are one, as are RUE LA FAYETTE and RUE LAFAYETTE. Null where nothing is
    left.

    One call a word written out, not one an abbreviation: parsers nest only so deep. Spaces are
    doubled, so that each word has its own on both sides.
#}
{% macro normalise_street(street) -%}
    {%- set spelling = var('street_spelling') -%}
    {%- set text = normalise_text(street) -%}
    {%- set kind = "split_part(" ~ text ~ ", ' ', 1)" -%}
    {%- set kinds = namespace(sql="case " ~ kind) -%}
    {%- for short, long in spelling.kinds.items() -%}
        {%- set kinds.sql = kinds.sql ~ " when '" ~ short ~ "' then '" ~ long ~ "'" -%}
    {%- endfor -%}
    {%- set rest = "substr(" ~ text ~ ", length(" ~ kind ~ ") + 1)" -%}
    {%- set out = namespace(
        sql="' ' || replace(" ~ kinds.sql ~ " else " ~ kind ~ " end || " ~ rest ~ ", ' ', '  ') || ' '"
    ) -%}
    {%- set written_out = {} -%}
    {%- for short, long in spelling.words.items() -%}
        {%- do written_out.setdefault(long, []).append(short) -%}
    {%- endfor -%}
    {%- for long, shorts in written_out.items() -%}
        {%- set out.sql = replace_pattern(
            out.sql, ' (' ~ shorts | join('|') ~ ') ', ' ' ~ long ~ ' '
        ) -%}
    {%- endfor -%}
    {%- set articles = spelling.articles | map('replace', ' ', '  ') | join('|') -%}
    {%- set out.sql = replace_pattern(out.sql, ' (' ~ articles ~ ') ', ' ') -%}
    nullif(replace({{ out.sql }}, ' ', ''), '')
{%- endmacro %}
