{#
    Lowest and highest value that a column of the ministry's results can hold: shares are per cent,
    marks are out of 20. The largest collèges of the country have about 1 300 pupils, a quarter of
    them in the troisième, hence the bounds of the counts.
#}
{% macro exam_bounds() -%}
    {%- set share = [0, 100] -%}
    {%- set count = [0, 2000] -%}
    {{ return({
        'candidates_general': count,
        'success_rate_general_pct': share,
        'success_rate_value_added_general_points': [-100, 100],
        'candidates_professional': count,
        'success_rate_professional_pct': share,
        'written_mark_general': [0, 20],
        'written_mark_value_added_general': [-20, 20],
        'written_mark_professional': [0, 20],
        'access_rate_6e_to_3e_pct': share,
        'present_share_total_pct': share,
        'mentions_fairly_good_general': count,
        'mentions_good_general': count,
        'mentions_very_good_general': count,
        'mentions_general': count,
    }) }}
{%- endmacro %}

{# The same for the index of social position, which the ministry defines from 45 to 185. #}
{% macro social_position_bounds() -%}
    {%- set index = [45, 185] -%}
    {{ return({
        'ips': index,
        'ips_stddev': [0, 70],
        'pupils': [0, 5000],
        'ips_national_public': index,
        'ips_academy_public': index,
        'ips_department_public': index,
    }) }}
{%- endmacro %}
