with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

sectors as (

    select * from {{ ref('int_sector__school_years') }}

),

sector_colleges as (

    select * from {{ ref('int_sector__colleges') }}

),

sector_records as (

    select * from {{ ref('stg_opendata_paris__sectors') }}

),

whole_sector_years as (

    select * from {{ ref('int_school_year__published') }}
    where source_name = 'sectors' and is_whole

),

results_and_positions as (

    select
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        record_key,
        school_year,
        uai,
        establishment_name,
        is_public,
        college_id,
        link_method,
        is_withdrawn
    from exam_sessions
    union all
    select
        case series
            when 'ap2022' then 'fr-en-ips-colleges-ap2022'
            when 'ap2023' then 'fr-en-ips-colleges-ap2023'
        end as dataset,
        record_key,
        school_year,
        uai,
        establishment_name,
        is_public,
        college_id,
        link_method,
        is_withdrawn
    from social_positions

),

-- Private collèges are out of scope. Listed is what does not say whether it is private, and what
-- says so under the UAI of a public collège.
unplaced_results as (

    select
        records.dataset,
        records.record_key,
        records.school_year,
        records.uai,
        records.establishment_name as college_name,
        case
            when coalesce(records.is_public, true) then records.link_method
            else 'says_private'
        end as reason,
        records.is_withdrawn
    from results_and_positions as records
    left join uai_links
        on records.uai = uai_links.uai
    where
        records.college_id is null
        and (coalesce(records.is_public, true) or uai_links.uai is not null)

),

unplaced_sector_colleges as (

    select
        'secteurs-scolaires-colleges' as dataset,
        sectors.record_key,
        sectors.school_year,
        cast(null as varchar) as uai,
        sector_colleges.college_name,
        'not_found' as reason,
        sectors.is_withdrawn
    from sectors
    left join sector_colleges
        on
            sectors.sector_key = sector_colleges.sector_key
            and sectors.school_year_start = sector_colleges.school_year_start
    where sector_colleges.college_id is null

),

sectors_without_school_year as (

    select
        'secteurs-scolaires-colleges' as dataset,
        sector_records.record_key,
        {{ school_year_name('sector_records.first_school_year_start') }} as school_year,
        cast(null as varchar) as uai,
        sector_records.college_name_1 as college_name,
        case
            when sector_records.first_school_year_start is null then 'unknown_label'
            else 'school_year_not_whole'
        end as reason,
        sector_records.is_withdrawn
    from sector_records
    left join whole_sector_years
        on sector_records.first_school_year_start = whole_sector_years.school_year_start
    where whole_sector_years.school_year_start is null

),

final as (

    select * from unplaced_results
    union all
    select * from unplaced_sector_colleges
    union all
    select * from sectors_without_school_year

)

select * from final
