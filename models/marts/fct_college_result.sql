with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

final as (

    select
        college_id,
        session,
        school_year,
        uai,
        candidates,
        success_rate_pct,
        success_rate_value_added_points,
        mentions,
        mention_rate_pct,
        written_mark,
        written_mark_value_added,
        is_small_sample,
        professional_candidates,
        professional_success_rate_pct,
        professional_written_mark,
        is_professional_small_sample,
        access_rate_6e_to_3e_pct,
        present_share_pct,
        is_withdrawn,
        extracted_at
    from exam_sessions
    where college_id is not null

)

select * from final
