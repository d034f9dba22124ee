with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

neighbours as (

    select * from {{ ref('fct_college_neighbour') }}

),

summed as (

    select
        school_year,
        college_id,
        max(case when neighbour_rank = 1 then neighbour_college_id end) as nearest_college_id,
        min(distance_km) as nearest_km,
        count(case when distance_km <= 1 then 1 end) as colleges_within_1_km
    from neighbours
    group by school_year, college_id

),

final as (

    select
        school_years.college_id,
        school_years.school_year,
        summed.nearest_college_id,
        summed.nearest_km,
        -- without a point there is no count; with nobody near it is zero
        case
            when school_years.longitude is not null and school_years.latitude is not null
                then cast(coalesce(summed.colleges_within_1_km, 0) as integer)
        end as colleges_within_1_km
    from school_years
    left join summed
        on
            school_years.school_year = summed.school_year
            and school_years.college_id = summed.college_id

)

select * from final
