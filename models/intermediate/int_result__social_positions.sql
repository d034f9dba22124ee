{%- set bounds = social_position_bounds() -%}

with

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

college_links as (

    select * from {{ ref('int_result__college_links') }}

),

places as (

    select * from {{ ref('int_result__places') }}

),

published as (

    select * from {{ ref('int_school_year__published') }}
    where source_name = 'ips'

),

both_series as (

    select
        record_key,
        run_sequence,
        'ap2022' as series,
        uai,
        establishment_name,
        is_public,
        school_year_start,
        ips,
        ips_stddev,
        pupils,
        cast(null as double) as ips_national_public,
        cast(null as double) as ips_academy_public,
        cast(null as double) as ips_department_public,
        is_withdrawn,
        extracted_at
    from ips_ap2022

    union all

    select
        record_key,
        run_sequence,
        'ap2023' as series,
        uai,
        establishment_name,
        is_public,
        school_year_start,
        ips,
        ips_stddev,
        cast(null as integer) as pupils,
        ips_national_public,
        ips_academy_public,
        ips_department_public,
        is_withdrawn,
        extracted_at
    from ips_ap2023

),

-- As in int_result__exam_sessions: taken back, or gone with the whole rentrée.
counted as (

    select
        both_series.*,
        {{
            is_taken_back(
                'both_series.is_withdrawn',
                'both_series.is_public',
                partition_by='both_series.series, both_series.school_year_start',
                members='published.members'
            )
        }} as is_retracted,
        {{ out_of_range(bounds) | indent(8) }} as values_out_of_range
    from both_series
    left join published
        on both_series.school_year_start = published.school_year_start
    where both_series.uai is not null and both_series.school_year_start is not null

),

-- What is still published goes before what was withdrawn. Of two values that are, the newer series
-- has the last word about a rentrée, NA included: a value taken from the older one would stand
-- among values of another method.
deduplicated as (

    select *
    from counted
    qualify
        row_number() over (
            partition by uai, school_year_start
            order by is_withdrawn asc, series desc, run_sequence desc, record_key asc
        ) = 1

),

plausible as (

    select
        record_key,
        series,
        uai,
        coalesce({{ directory_name_key(normalise_name('establishment_name')) }}, '') as label_key,
        establishment_name,
        is_public,
        school_year_start,
        {% for column in bounds -%}
        {{ in_range(column, bounds[column]) }} as {{ column }},
        {% endfor -%}
        values_out_of_range,
        is_retracted,
        is_withdrawn,
        extracted_at
    from deduplicated

),

final as (

    select
        plausible.record_key,
        plausible.series,
        plausible.uai,
        case when published.is_whole then college_links.college_id end as college_id,
        case when published.is_whole then college_links.link_method else 'session_not_whole' end
            as link_method,
        case when published.is_whole then places.arrondissement_number end as arrondissement_number,
        plausible.establishment_name,
        plausible.is_public,
        {{ school_year_name('plausible.school_year_start') }} as school_year,
        plausible.ips,
        plausible.ips_stddev,
        plausible.pupils,
        plausible.ips_national_public,
        plausible.ips_academy_public,
        plausible.ips_department_public,
        plausible.values_out_of_range,
        plausible.is_retracted,
        plausible.is_withdrawn,
        plausible.extracted_at
    from plausible
    left join college_links
        on
            college_links.source_name = 'ips'
            and plausible.uai = college_links.uai
            and plausible.school_year_start = college_links.school_year_start
            and plausible.label_key = college_links.label_key
            and coalesce(plausible.is_public, true)
    left join places
        on
            college_links.college_id = places.college_id
            and college_links.school_year_start = places.school_year_start
    left join published
        on plausible.school_year_start = published.school_year_start

)

select * from final
