with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

final as (

    select
        college_id,
        school_year,
        college_name,
        address,
        insee_code,
        arrondissement_number,
        round(longitude, 6) as longitude,
        round(latitude, 6) as latitude,
        is_withdrawn,
        extracted_at
    from school_years

)

select * from final
