with

sectors as (

    select * from {{ ref('stg_opendata_paris__sectors') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

expanded as (

    select
        sectors.*,
        spine.school_year_start,
        spine.school_year,
        {{ normalise_name('sectors.sector_name') }} as sector_key
    from sectors
    inner join spine
        on
            spine.school_year_start
            between sectors.first_school_year_start and sectors.last_school_year_start

),

-- As for collèges: the narrower label says more about a year, then the portal's latest word counts.
deduplicated as (

    select *
    from expanded
    qualify
        row_number() over (
            partition by sector_key, school_year_start
            order by
                last_school_year_start - first_school_year_start asc,
                is_withdrawn asc,
                run_sequence desc,
                record_key asc
        ) = 1

),

final as (

    select
        record_key,
        sector_key,
        sector_name,
        school_year_start,
        school_year,
        is_shared,
        sector_label,
        college_name_1,
        college_name_2,
        college_name_3,
        college_name_4,
        college_address_1,
        college_address_2,
        college_address_3,
        college_address_4,
        area_m2,
        longitude,
        latitude,
        boundary_geojson,
        is_withdrawn,
        extracted_at
    from deduplicated

)

select * from final
