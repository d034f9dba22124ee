{#- The ministry publishes no general series of fewer candidates (docs/data-quality.md). -#}
{% set small_sample_below = 30 %}

with

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

-- A session has been written as a year and as a date, which makes two records of one result.
deduplicated as (

    select *
    from ivac
    where uai is not null and session is not null
    qualify
        row_number() over (
            partition by uai, session
            order by is_withdrawn asc, run_sequence desc, record_key asc
        ) = 1

),

counted as (

    select
        *,
        coalesce(
            mentions_general,
            mentions_fairly_good_general + mentions_good_general + mentions_very_good_general
        ) as mentions
    from deduplicated

),

final as (

    select
        counted.record_key,
        counted.uai,
        uai_links.college_id,
        counted.establishment_name,
        counted.is_public,
        counted.session,
        {{ school_year_name('counted.session - 1') }} as school_year,
        counted.candidates_general as candidates,
        counted.success_rate_general_pct as success_rate_pct,
        counted.success_rate_value_added_general_points as success_rate_value_added_points,
        counted.mentions,
        case
            when counted.candidates_general > 0
                then
                    round(
                        cast(100 as double) * counted.mentions / counted.candidates_general, 1
                    )
        end as mention_rate_pct,
        counted.written_mark_general as written_mark,
        counted.written_mark_value_added_general as written_mark_value_added,
        counted.candidates_general < {{ small_sample_below }} as is_small_sample,
        counted.candidates_professional as professional_candidates,
        counted.success_rate_professional_pct as professional_success_rate_pct,
        counted.written_mark_professional as professional_written_mark,
        counted.candidates_professional < {{ small_sample_below }}
            as is_professional_small_sample,
        counted.access_rate_6e_to_3e_pct,
        counted.present_share_total_pct as present_share_pct,
        counted.is_withdrawn,
        counted.extracted_at
    from counted
    left join uai_links
        on counted.uai = uai_links.uai

)

select * from final
