{%- set bounds = exam_bounds() -%}

with

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

college_links as (

    select * from {{ ref('int_result__college_links') }}

),

places as (

    select * from {{ ref('int_result__places') }}

),

published as (

    select * from {{ ref('int_school_year__published') }}
    where source_name = 'ivac'

),

counted as (

    select
        ivac.*,
        {{
            is_taken_back(
                'ivac.is_withdrawn',
                'ivac.is_public',
                partition_by='ivac.session',
                members='published.members'
            )
        }} as is_retracted,
        {{ out_of_range(bounds) | indent(8) }} as values_out_of_range
    from ivac
    left join published
        on ivac.session - 1 = published.school_year_start
    where ivac.uai is not null and ivac.session is not null

),

-- A session has been written as a year and as a date, which makes two records of one result.
deduplicated as (

    select *
    from counted
    qualify
        row_number() over (
            partition by uai, session
            order by is_withdrawn asc, run_sequence desc, record_key asc
        ) = 1

),

plausible as (

    select
        record_key,
        run_sequence,
        uai,
        session,
        coalesce({{ directory_name_key(normalise_name('establishment_name')) }}, '') as label_key,
        establishment_name,
        is_public,
        {% for column in bounds -%}
        {{ in_range(column, bounds[column]) }} as {{ column }},
        {% endfor -%}
        values_out_of_range,
        is_retracted,
        is_withdrawn,
        extracted_at
    from deduplicated

),

with_mentions as (

    select
        *,
        coalesce(
            mentions_general,
            mentions_fairly_good_general + mentions_good_general + mentions_very_good_general
        ) as mentions
    from plausible

),

final as (

    select
        with_mentions.record_key,
        with_mentions.uai,
        case when published.is_whole then college_links.college_id end as college_id,
        case when published.is_whole then college_links.link_method else 'session_not_whole' end
            as link_method,
        case when published.is_whole then places.arrondissement_number end as arrondissement_number,
        with_mentions.establishment_name,
        with_mentions.is_public,
        with_mentions.session,
        {{ school_year_name('with_mentions.session - 1') }} as school_year,
        with_mentions.candidates_general as candidates,
        with_mentions.success_rate_general_pct as success_rate_pct,
        with_mentions.success_rate_value_added_general_points as success_rate_value_added_points,
        with_mentions.mentions,
        case
            when with_mentions.candidates_general > 0
                then
                    round(
                        cast(100 as double)
                        * with_mentions.mentions
                        / with_mentions.candidates_general,
                        1
                    )
        end as mention_rate_pct,
        with_mentions.written_mark_general as written_mark,
        with_mentions.written_mark_value_added_general as written_mark_value_added,
        with_mentions.candidates_general < {{ var('small_sample_below') }} as is_small_sample,
        with_mentions.candidates_professional as professional_candidates,
        with_mentions.success_rate_professional_pct as professional_success_rate_pct,
        with_mentions.written_mark_professional as professional_written_mark,
        with_mentions.candidates_professional < {{ var('small_sample_below') }}
            as is_professional_small_sample,
        with_mentions.access_rate_6e_to_3e_pct,
        with_mentions.present_share_total_pct as present_share_pct,
        with_mentions.values_out_of_range,
        with_mentions.is_retracted,
        with_mentions.is_withdrawn,
        with_mentions.extracted_at
    from with_mentions
    left join college_links
        on
            college_links.source_name = 'ivac'
            and with_mentions.uai = college_links.uai
            and with_mentions.session - 1 = college_links.school_year_start
            and with_mentions.label_key = college_links.label_key
            and coalesce(with_mentions.is_public, true)
    left join places
        on
            college_links.college_id = places.college_id
            and college_links.school_year_start = places.school_year_start
    left join published
        on with_mentions.session - 1 = published.school_year_start

)

select * from final
