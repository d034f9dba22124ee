{#
    A normalised name as the ministry's directory would compare it: COLLEGE at the start dropped, ST
    and STE written out.
#}
{% macro directory_name_key(name_key) -%}
    trim(replace(
        replace(
            ' ' || {{ replace_pattern(name_key, '^COLLEGE ', '') }} || ' ', ' ST ', ' SAINT '
        ),
        ' STE ', ' SAINTE '
    ))
{%- endmacro %}
