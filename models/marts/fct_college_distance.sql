with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

located as (

    select
        school_year,
        college_id,
        {{ city_code('insee_code') }} as city_code,
        round(longitude, 6) as longitude,
        round(latitude, 6) as latitude
    from school_years
    where
        insee_code is not null
        and longitude is not null
        and latitude is not null

),

-- All pairs only within one city: their number grows with the number of cities, not its square.
pairs as (

    select
        one.school_year,
        one.college_id as college_id_a,
        other.college_id as college_id_b,
        {{ haversine_m(
            'one.longitude', 'one.latitude', 'other.longitude', 'other.latitude', decimals=0
        ) }} as distance_m
    from located as one
    inner join located as other
        on
            one.school_year = other.school_year
            and one.city_code = other.city_code
            and one.college_id < other.college_id

),

final as (

    select
        school_year,
        college_id_a,
        college_id_b,
        distance_m / 1000 as distance_km
    from pairs

)

select * from final
