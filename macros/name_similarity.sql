{#
    How alike two normalised names are, 0 to 1: 1 minus the edit distance over the longer length;
    1 where one name stands in the other as a whole phrase (ROSE BLANCHE in LA ROSE BLANCHE);
    0 where the names hold different numbers.
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
            then 1.0
        else
            round(
                1.0
                - {{ edit_distance(name_a, name_b) }}
                / cast(greatest(length({{ name_a }}), length({{ name_b }})) as double),
                3
            )
    end
{%- endmacro %}
