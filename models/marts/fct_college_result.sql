with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

success_rates as (

    select * from {{ ref('int_result__success_rates') }}

),

final as (

    select
        exam_sessions.college_id,
        exam_sessions.session,
        exam_sessions.school_year,
        exam_sessions.record_key,
        exam_sessions.uai,
        exam_sessions.arrondissement_number,
        exam_sessions.candidates,
        success_rates.passed,
        exam_sessions.success_rate_pct,
        success_rates.success_rate_low_pct,
        success_rates.success_rate_high_pct,
        success_rates.success_rate_change_points,
        success_rates.is_success_rate_change_beyond_noise,
        exam_sessions.success_rate_value_added_points,
        exam_sessions.mentions,
        exam_sessions.mention_rate_pct,
        exam_sessions.written_mark,
        exam_sessions.written_mark_value_added,
        exam_sessions.is_small_sample,
        exam_sessions.professional_candidates,
        exam_sessions.professional_success_rate_pct,
        exam_sessions.professional_written_mark,
        exam_sessions.is_professional_small_sample,
        exam_sessions.access_rate_6e_to_3e_pct,
        exam_sessions.present_share_pct,
        exam_sessions.is_retracted,
        exam_sessions.is_withdrawn,
        exam_sessions.extracted_at
    from exam_sessions
    left join success_rates
        on
            exam_sessions.college_id = success_rates.college_id
            and exam_sessions.session = success_rates.session
            and not exam_sessions.is_retracted
    where exam_sessions.college_id is not null

)

select * from final
