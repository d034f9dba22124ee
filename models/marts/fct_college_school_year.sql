with

years_seen as (

    select * from {{ ref('int_college__years_seen') }}

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
        is_place_conflicting,
        status = 'partial_school_year' as is_partial_school_year,
        is_withdrawn,
        extracted_at,
        record_key
    from years_seen
    where status <> 'retracted'

)

select * from final
