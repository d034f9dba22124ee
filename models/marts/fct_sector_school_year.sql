with

sectors as (

    select * from {{ ref('int_sector__school_years') }}
    where not is_replaced

),

sector_colleges as (

    select * from {{ ref('int_sector__colleges') }}

),

members as (

    select
        sector_key,
        school_year_start,
        count(distinct coalesce(college_id, name_key)) as colleges_named,
        count(distinct college_id) as colleges_matched
    from sector_colleges
    group by sector_key, school_year_start

),

final as (

    select
        sectors.sector_name,
        sectors.school_year,
        coalesce(sectors.is_shared, false) or coalesce(members.colleges_named, 0) > 1 as is_shared,
        cast(coalesce(members.colleges_named, 0) as integer) as colleges_named,
        cast(coalesce(members.colleges_matched, 0) as integer) as colleges_matched,
        round(sectors.area_m2 / 1000000, 3) as area_km2,
        round(sectors.longitude, 6) as longitude,
        round(sectors.latitude, 6) as latitude,
        sectors.boundary_geojson,
        sectors.record_key,
        sectors.is_withdrawn,
        sectors.extracted_at
    from sectors
    left join members
        on
            sectors.sector_key = members.sector_key
            and sectors.school_year_start = members.school_year_start

)

select * from final
