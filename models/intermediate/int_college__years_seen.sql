with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

record_places as (

    select * from {{ ref('int_college__record_places') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

expanded as (

    select
        identities.college_id,
        record_school_years.school_year_start,
        record_school_years.status,
        record_school_years.held_number,
        colleges.record_key,
        colleges.run_sequence,
        colleges.college_name,
        colleges.address,
        record_places.insee_code,
        record_places.arrondissement_number,
        record_places.longitude,
        record_places.latitude,
        record_places.is_place_conflicting,
        record_school_years.is_withdrawn,
        colleges.extracted_at,
        colleges.last_school_year_start - colleges.first_school_year_start + 1
            as school_years_in_label,
        case record_school_years.status
            when 'held' then 1
            when 'partial_school_year' then 2
            else 3
        end as status_rank
    from record_school_years
    inner join colleges
        on record_school_years.record_key = colleges.record_key
    inner join record_places
        on record_school_years.record_key = record_places.record_key
    inner join identities
        on record_school_years.identity_key = identities.identity_key
    where record_school_years.status in ('held', 'partial_school_year', 'retracted')

),

-- Two records can speak of one school year: a range was split up later, or a label respelled. One
-- that was taken back speaks last. The narrower label says more about the year, whichever was
-- loaded first; then the portal's latest word counts. The year is withdrawn once all its
-- records are.
deduplicated as (

    select
        *,
        min(case when is_withdrawn then 1 else 0 end) over (
            partition by college_id, school_year_start
        ) = 1 as is_year_withdrawn,
        count(*) over (partition by college_id, school_year_start, status_rank) as record_count
    from expanded
    qualify
        row_number() over (
            partition by college_id, school_year_start
            order by
                status_rank asc,
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
        {{ school_year_name('school_year_start') }} as school_year,
        status,
        held_number,
        record_key,
        college_name,
        {{ normalise_name('college_name') }} as name_key,
        address,
        {{ normalise_address('address') }} as address_key,
        insee_code,
        arrondissement_number,
        longitude,
        latitude,
        is_place_conflicting,
        is_year_withdrawn as is_withdrawn,
        extracted_at,
        record_count
    from deduplicated

)

select * from final
