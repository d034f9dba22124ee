with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

record_locations as (

    select * from {{ ref('int_college__record_locations') }}

),

final as (

    select
        colleges.record_key as record_id,
        colleges.college_name as libelle,
        colleges.school_year_label as annee_scol,
        colleges.project_label as id_project,
        colleges.address as adresse,
        record_locations.location_id,
        record_locations.college_id,
        colleges.is_withdrawn
    from colleges
    inner join record_locations
        on colleges.record_key = record_locations.record_key

)

select * from final
