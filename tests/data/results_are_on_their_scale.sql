-- Sessions and rentrées whose public collèges, taken together, lie where no year ever did: rates
-- given as fractions, marks out of 100, another index. An error, on intermediate models: the marts
-- keep what they said before. Single slips do not move a median; they are left out
-- (values_left_out). In Paris the median rate was 88 and 90 % in the sessions 2022 and 2023, the
-- median mark 10.9 and 11.7, the median IPS of 2022-2023 117.6; fewer than ten values are no
-- distribution.
with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

),

medians as (

    select
        'success_rate_pct' as measure,
        school_year,
        count(success_rate_pct) as value_count,
        median(success_rate_pct) as median_value,
        50 as lowest,
        100 as highest
    from exam_sessions
    where coalesce(is_public, true)
    group by school_year

    union all

    select
        'written_mark' as measure,
        school_year,
        count(written_mark) as value_count,
        median(written_mark) as median_value,
        5 as lowest,
        17 as highest
    from exam_sessions
    where coalesce(is_public, true)
    group by school_year

    union all

    select
        'ips' as measure,
        school_year,
        count(ips) as value_count,
        median(ips) as median_value,
        80 as lowest,
        150 as highest
    from social_positions
    where coalesce(is_public, true)
    group by school_year

)

select
    measure,
    school_year,
    value_count,
    median_value
from medians
where
    value_count >= 10
    and median_value not between lowest and highest
