with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

shares as (

    select
        college_id,
        session,
        candidates,
        success_rate_pct,
        success_rate_pct / 100.0 as rate
    from exam_sessions
    where college_id is not null and not is_retracted

),

bounded as (

    select
        *,
        {{ wilson_bound('rate', 'candidates', '-') | indent(8) }} as low,
        {{ wilson_bound('rate', 'candidates', '+') | indent(8) }} as high
    from shares

),

-- Newcombe's interval of the difference of two shares, of their Wilson intervals
compared as (

    select
        bounded.*,
        bounded.rate - earlier.rate as gained,
        sqrt(
            power(bounded.rate - bounded.low, 2) + power(earlier.high - earlier.rate, 2)
        ) as reach_down,
        sqrt(
            power(bounded.high - bounded.rate, 2) + power(earlier.rate - earlier.low, 2)
        ) as reach_up
    from bounded
    left join bounded as earlier
        on
            bounded.college_id = earlier.college_id
            and bounded.session - 1 = earlier.session

),

final as (

    select
        college_id,
        session,
        cast(round(candidates * success_rate_pct / 100.0, 0) as integer) as passed,
        round(100.0 * low, 1) as success_rate_low_pct,
        round(100.0 * high, 1) as success_rate_high_pct,
        round(100.0 * gained, 1) as success_rate_change_points,
        gained - reach_down > 0 or gained + reach_up < 0 as is_success_rate_change_beyond_noise
    from compared

)

select * from final
