with

record_places as (

    select * from {{ ref('int_college__record_places') }}

),

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

record_locations as (

    select * from {{ ref('int_college__record_locations') }}

),

final as (

    select
        record_places.record_key,
        record_locations.college_id,
        colleges.college_name,
        colleges.school_year_label,
        record_places.arrondissement_code as insee_code_published,
        record_places.label_code as insee_code_of_label,
        record_places.point_code as insee_code_of_point,
        record_places.insee_code as insee_code_taken,
        record_places.published_longitude,
        record_places.published_latitude,
        record_places.is_point_refused,
        colleges.is_withdrawn
    from record_places
    inner join colleges
        on record_places.record_key = colleges.record_key
    inner join record_locations
        on record_places.record_key = record_locations.record_key
    where record_places.is_place_conflicting

)

select * from final
