with

years_seen as (

    select * from {{ ref('int_college__years_seen') }}

),

final as (

    select
        college_id,
        school_year_start,
        school_year,
        held_number,
        record_key,
        college_name,
        name_key,
        address,
        address_key,
        insee_code,
        arrondissement_number,
        longitude,
        latitude,
        is_place_conflicting,
        is_withdrawn,
        extracted_at,
        record_count
    from years_seen
    where status = 'held'

)

select * from final
