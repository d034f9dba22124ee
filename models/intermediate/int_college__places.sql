with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

-- to the metre, so that a collège that did not move stands here once
final as (

    select distinct
        college_id,
        round(longitude, 5) as longitude,
        round(latitude, 5) as latitude
    from school_years
    where longitude is not null and latitude is not null

)

select * from final
