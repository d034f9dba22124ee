with

versions as (

    select * from {{ ref('stg_opendata_paris__college_versions') }}

),

latest as (

    select * from {{ latest_records('versions') }}

),

final as (

    select
        record_key,
        run_sequence,
        college_name,
        school_year_label,
        first_school_year_start,
        last_school_year_start,
        address,
        insee_code,
        arrondissement_code,
        arrondissement_label,
        establishment_type,
        project_label,
        longitude,
        latitude,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

)

select * from final
