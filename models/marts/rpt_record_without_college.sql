with

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

),

sectors as (

    select * from {{ ref('int_sector__school_years') }}

),

sector_colleges as (

    select * from {{ ref('int_sector__colleges') }}

),

-- private collèges are out of scope; where a record does not say, it is listed
unplaced_results as (

    select
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        record_key,
        school_year,
        uai,
        establishment_name as college_name,
        is_withdrawn
    from exam_sessions
    where college_id is null and coalesce(is_public, true)

),

unplaced_positions as (

    select
        case series
            when 'ap2022' then 'fr-en-ips-colleges-ap2022'
            when 'ap2023' then 'fr-en-ips-colleges-ap2023'
        end as dataset,
        record_key,
        school_year,
        uai,
        establishment_name as college_name,
        is_withdrawn
    from social_positions
    where college_id is null and coalesce(is_public, true)

),

unplaced_sector_colleges as (

    select
        'secteurs-scolaires-colleges' as dataset,
        sectors.record_key,
        sectors.school_year,
        cast(null as varchar) as uai,
        sector_colleges.college_name,
        sectors.is_withdrawn
    from sectors
    left join sector_colleges
        on
            sectors.sector_key = sector_colleges.sector_key
            and sectors.school_year_start = sector_colleges.school_year_start
    where sector_colleges.college_id is null

),

final as (

    select * from unplaced_results
    union all
    select * from unplaced_positions
    union all
    select * from unplaced_sector_colleges

)

select * from final
