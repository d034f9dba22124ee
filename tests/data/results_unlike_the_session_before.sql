-- Figures of one collège that no collège of Paris came near to changing by from one publication to
-- the next: a decimal point or a digit that slipped, more often than an event. Seen at most: 16
-- points of success, 3.2 points of mark, half as many candidates again (fewer than
-- `small_sample_below` count as that many). A warning: the marts say what the ministry says, and a
-- person looks.
{{ config(severity='warn') }}

with

sessions as (

    select
        college_id,
        school_year,
        record_key,
        candidates,
        success_rate_pct,
        written_mark,
        lag(candidates) over (partition by college_id order by session) as candidates_before,
        lag(success_rate_pct) over (partition by college_id order by session) as rate_before,
        lag(written_mark) over (partition by college_id order by session) as mark_before
    from {{ ref('int_result__exam_sessions') }}
    where college_id is not null and not is_retracted

),

positions as (

    select
        college_id,
        school_year,
        record_key,
        ips,
        lag(ips) over (partition by college_id order by school_year) as ips_before
    from {{ ref('int_result__social_positions') }}
    where college_id is not null and not is_retracted

),

compared as (

    select
        college_id,
        school_year,
        record_key,
        'success_rate_pct' as measure,
        rate_before as value_before,
        success_rate_pct as published_value,
        abs(success_rate_pct - rate_before) > 35 as is_unlike
    from sessions
    union all
    select
        college_id,
        school_year,
        record_key,
        'written_mark' as measure,
        mark_before as value_before,
        written_mark as published_value,
        abs(written_mark - mark_before) > 6 as is_unlike
    from sessions
    union all
    select
        college_id,
        school_year,
        record_key,
        'candidates' as measure,
        candidates_before as value_before,
        candidates as published_value,
        greatest(candidates, candidates_before)
        > 3 * greatest(least(candidates, candidates_before), {{ var('small_sample_below') }})
            as is_unlike
    from sessions
    union all
    select
        college_id,
        school_year,
        record_key,
        'ips' as measure,
        ips_before as value_before,
        ips as published_value,
        abs(ips - ips_before) > 25 as is_unlike
    from positions

)

select
    college_id,
    school_year,
    record_key,
    measure,
    value_before,
    published_value
from compared
where is_unlike and value_before is not null
