with

school_years as (

    select * from {{ ref('fct_college_school_year') }}

),

neighbours as (

    select * from {{ ref('int_college__neighbours') }}

),

nearest as (

    select *
    from neighbours
    qualify
        row_number() over (
            partition by school_year, college_id
            order by distance_km, neighbour_college_id
        ) = 1

),

counted as (

    select
        school_year,
        college_id,
        count(*) as college_count
    from neighbours
    where distance_km <= 1
    group by school_year, college_id

),

final as (

    select
        school_years.college_id,
        school_years.school_year,
        nearest.neighbour_college_id as nearest_college_id,
        nearest.distance_km as nearest_km,
        -- a place nobody knows has no count; a lonely one has none around it
        case
            when school_years.longitude is not null and school_years.latitude is not null
                then cast(coalesce(counted.college_count, 0) as integer)
        end as colleges_within_1_km
    from school_years
    left join nearest
        on
            school_years.school_year = nearest.school_year
            and school_years.college_id = nearest.college_id
    left join counted
        on
            school_years.school_year = counted.school_year
            and school_years.college_id = counted.college_id

)

select * from final
