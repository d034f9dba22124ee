with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

record_locations as (

    select * from {{ ref('int_college__record_locations') }}

),

latest as (

    select
        record_locations.location_id,
        record_locations.college_id,
        colleges.*
    from colleges
    inner join record_locations
        on colleges.record_key = record_locations.record_key
    qualify
        row_number() over (
            partition by record_locations.location_id
            order by
                colleges.last_school_year_start desc,
                colleges.is_withdrawn asc,
                colleges.run_sequence desc,
                colleges.record_key asc
        ) = 1

),

final as (

    select
        location_id,
        college_id,
        address as adresse,
        college_name as libelle,
        insee_code as arr_insee,
        arrondissement_label as arr_libelle,
        round(latitude, 6) as latitude,
        round(longitude, 6) as longitude
    from latest

)

select * from final
