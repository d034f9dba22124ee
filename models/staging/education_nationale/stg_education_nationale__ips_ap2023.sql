with

source as (

    select *
    from {{ source_or_empty('education_nationale', 'fr_en_ips_colleges_ap2023') }}

),

latest as (

    select * from {{ latest_records('source') }}

),

typed as (

    select
        record_key,
        run_sequence,
        {{ json_text('payload', 'uai') }} as uai,
        {{ json_text('payload', 'rentree_scolaire') }} as school_year_label,
        {{ json_text('payload', 'nom_de_l_etablissement') }} as establishment_name,
        {{ json_code('payload', 'code_insee_de_la_commune') }} as insee_code,
        {{ json_text('payload', 'secteur') }} as sector_label,
        {{ sector_is_public(json_text('payload', 'secteur')) }} as is_public,
        {{ json_number('payload', 'ips') }} as ips,
        {{ json_number('payload', 'ecart_type_de_l_ips') }} as ips_stddev,
        {{ json_number('payload', 'ips_national_prive') }} as ips_national_private,
        {{ json_number('payload', 'ips_national_public') }} as ips_national_public,
        {{ json_number('payload', 'ips_national') }} as ips_national,
        {{ json_number('payload', 'ips_academique_prive') }} as ips_academy_private,
        {{ json_number('payload', 'ips_academique_public') }} as ips_academy_public,
        {{ json_number('payload', 'ips_academique') }} as ips_academy,
        {{ json_number('payload', 'ips_departemental_prive') }} as ips_department_private,
        {{ json_number('payload', 'ips_departemental_public') }} as ips_department_public,
        {{ json_number('payload', 'ips_departemental') }} as ips_department,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        record_key,
        run_sequence,
        uai,
        school_year_label,
        {{ school_year_first_start('school_year_label') }} as school_year_start,
        establishment_name,
        insee_code,
        sector_label,
        is_public,
        ips,
        ips_stddev,
        ips_national_private,
        ips_national_public,
        ips_national,
        ips_academy_private,
        ips_academy_public,
        ips_academy,
        ips_department_private,
        ips_department_public,
        ips_department,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
