with

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

college_records as (

    select * from {{ ref('int_college__record_locations') }}

),

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

exam_sessions as (

    select * from {{ ref('int_result__exam_sessions') }}

),

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

),

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

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

records as (

    select
        'etablissements-scolaires-colleges' as dataset,
        college_records.record_key,
        college_records.college_id,
        {{ school_year_name('colleges.first_school_year_start') }} as school_year
    from college_records
    inner join colleges
        on college_records.record_key = colleges.record_key

    union all

    select
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        record_key,
        college_id,
        school_year
    from exam_sessions

    union all

    select
        'fr-en-ips-colleges-' || series as dataset,
        record_key,
        college_id,
        school_year
    from social_positions

    union all

    select
        'fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre' as dataset,
        establishments.record_key,
        uai_links.college_id,
        cast(null as varchar) as school_year
    from establishments
    inner join uai_links
        on establishments.uai = uai_links.uai

    union all

    -- a sector is one collège's, or nobody's here
    select
        'secteurs-scolaires-colleges' as dataset,
        sectors.record_key,
        case
            when count(distinct sector_colleges.college_id) = 1
                then max(sector_colleges.college_id)
        end as college_id,
        min(sectors.school_year) as school_year
    from sectors
    left join sector_colleges
        on
            sectors.sector_key = sector_colleges.sector_key
            and sectors.school_year_start = sector_colleges.school_year_start
    group by sectors.record_key

),

-- A record whose key was spelled otherwise is the collège's under either spelling.
spelled as (

    select distinct
        versions.dataset,
        versions.record_key,
        {{ record_meaning('versions.record_key') | indent(8) }} as record_meaning
    from versions

),

by_meaning as (

    select
        spelled.dataset,
        spelled.record_meaning,
        max(records.college_id) as college_id,
        max(records.school_year) as school_year
    from spelled
    inner join records
        on
            spelled.dataset = records.dataset
            and spelled.record_key = records.record_key
    group by spelled.dataset, spelled.record_meaning

),

final as (

    select
        spelled.dataset,
        spelled.record_key,
        by_meaning.college_id,
        by_meaning.school_year
    from spelled
    inner join by_meaning
        on
            spelled.dataset = by_meaning.dataset
            and spelled.record_meaning = by_meaning.record_meaning

)

select * from final
