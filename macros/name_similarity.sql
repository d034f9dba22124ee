{#
    How alike two normalised names are, 0 to 1: 1 minus the edit distance over the longer length;
    1 where one name stands in the other as a whole phrase (ROSE BLANCHE in LA ROSE BLANCHE) or
    where the surname was put first (CURIE MARIE); 0.9 where the last word is the same and the first
    one too, or its initial (G BRASSENS, LUCIE AUBRAC for LUCIE ET RAYMOND AUBRAC); 0 where the
    names hold different numbers.
#}
{% macro name_similarity(name_a, name_b) -%}
    case
        when
            {{ replace_pattern(name_a, '[^0-9]+', '') }}
            <> {{ replace_pattern(name_b, '[^0-9]+', '') }}
            then 0.0
        when
            ' ' || {{ name_a }} || ' ' like '% ' || {{ name_b }} || ' %'
            or ' ' || {{ name_b }} || ' ' like '% ' || {{ name_a }} || ' %'
            or {{ first_word_last(name_a) }} = {{ name_b }}
            or {{ first_word_last(name_b) }} = {{ name_a }}
            then 1.0
        when
            {{ last_word(name_a) }} = {{ last_word(name_b) }}
            and {{ name_a }} like '% %' and {{ name_b }} like '% %'
            and (
                split_part({{ name_a }}, ' ', 1) = split_part({{ name_b }}, ' ', 1)
                or split_part({{ name_a }}, ' ', 1) = left({{ name_b }}, 1)
                or split_part({{ name_b }}, ' ', 1) = left({{ name_a }}, 1)
            )
            then 0.9
        else
            round(
                1.0
                - {{ edit_distance(name_a, name_b) }}
                / cast(greatest(length({{ name_a }}), length({{ name_b }})) as double),
                3
            )
    end
{%- endmacro %}

{# The last word of a name. #}
{% macro last_word(name) -%}
    reverse(split_part(reverse({{ name }}), ' ', 1))
{%- endmacro %}

{# A name whose first word was put at its end: MARIE CURIE of CURIE MARIE. #}
{% macro first_word_last(name) -%}
    substr({{ name }}, length(split_part({{ name }}, ' ', 1)) + 2)
    || ' ' || split_part({{ name }}, ' ', 1)
{%- endmacro %}
