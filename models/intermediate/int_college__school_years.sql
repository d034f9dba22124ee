with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

records as (

    select * from {{ ref('int_college__records') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

arrondissements as (

    select * from {{ ref('stg_opendata_paris__arrondissements') }}

),

expanded as (

    select
        identities.college_id,
        spine.school_year_start,
        spine.school_year,
        colleges.record_key,
        colleges.run_sequence,
        colleges.college_name,
        colleges.address,
        colleges.insee_code,
        coalesce(
            arrondissements.arrondissement_number,
            try_cast({{ first_match('colleges.arrondissement_label', '[0-9]+') }} as integer)
        ) as arrondissement_number,
        colleges.longitude,
        colleges.latitude,
        colleges.is_withdrawn,
        colleges.extracted_at,
        colleges.last_school_year_start - colleges.first_school_year_start + 1
            as school_years_in_label
    from colleges
    inner join records
        on colleges.record_key = records.record_key
    inner join identities
        on records.identity_key = identities.identity_key
    inner join spine
        on
            spine.school_year_start
            between colleges.first_school_year_start and colleges.last_school_year_start
    left join arrondissements
        on colleges.insee_code = arrondissements.insee_code

),

-- Two records can speak of one school year: a range was split up later, or a label respelled. The
-- narrower label says more about the year, whichever was loaded first; then the portal's latest
-- word counts. The year is withdrawn once all its records are.
deduplicated as (

    select
        *,
        min(case when is_withdrawn then 1 else 0 end) over (
            partition by college_id, school_year_start
        ) = 1 as is_year_withdrawn,
        count(*) over (partition by college_id, school_year_start) as record_count
    from expanded
    qualify
        row_number() over (
            partition by college_id, school_year_start
            order by
                school_years_in_label asc,
                is_withdrawn asc,
                run_sequence desc,
                record_key asc
        ) = 1

),

final as (

    select
        college_id,
        school_year_start,
        school_year,
        record_key,
        college_name,
        {{ normalise_name('college_name') }} as name_key,
        address,
        {{ normalise_address('address') }} as address_key,
        insee_code,
        arrondissement_number,
        longitude,
        latitude,
        is_year_withdrawn as is_withdrawn,
        extracted_at,
        record_count
    from deduplicated

)

select * from final
