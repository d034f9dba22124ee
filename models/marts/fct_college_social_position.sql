with

social_positions as (

    select * from {{ ref('int_result__social_positions') }}

),

final as (

    select
        college_id,
        school_year,
        series,
        record_key,
        uai,
        arrondissement_number,
        ips,
        ips_stddev,
        pupils,
        ips_national_public,
        ips_academy_public,
        ips_department_public,
        is_retracted,
        is_withdrawn,
        extracted_at
    from social_positions
    where college_id is not null

)

select * from final
