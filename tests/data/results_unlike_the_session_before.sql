-- Figures of one collège that no collège of Paris came near to changing by from one publication to
-- the next: a decimal point or a digit that slipped, more often than an event. Seen at most: 16
-- points of success, 3.2 points of mark, half as many candidates again (fewer than
-- `small_sample_below` count as that many). A warning: the marts say what the ministry says, and a
-- person looks.
{{ config(severity='warn') }}

with

measures as (

    {% for measure in ['success_rate_pct', 'written_mark', 'candidates'] -%}
    select
        college_id,
        school_year,
        record_key,
        '{{ measure }}' as measure,
        cast({{ measure }} as double) as published_value
    from {{ ref('int_result__exam_sessions') }}
    where college_id is not null and not is_retracted
    union all
    {% endfor -%}
    select
        college_id,
        school_year,
        record_key,
        'ips' as measure,
        ips as published_value
    from {{ ref('int_result__social_positions') }}
    where college_id is not null and not is_retracted

),

compared as (

    select
        *,
        lag(published_value) over (
            partition by college_id, measure order by school_year
        ) as value_before
    from measures
    where published_value is not null

)

select
    college_id,
    school_year,
    record_key,
    measure,
    value_before,
    published_value
from compared
where
    case measure
        when 'success_rate_pct' then abs(published_value - value_before) > 35
        when 'written_mark' then abs(published_value - value_before) > 6
        when 'ips' then abs(published_value - value_before) > 25
        when 'candidates'
            then
                greatest(published_value, value_before)
                > 3 * greatest(
                    least(published_value, value_before), {{ var('small_sample_below') }}
                )
    end
    and value_before is not null
