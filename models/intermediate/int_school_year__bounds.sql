with

college_versions as (

    select * from {{ ref('stg_opendata_paris__college_versions') }}

),

sectors as (

    select * from {{ ref('stg_opendata_paris__sectors') }}

),

extractions as (

    select max(extracted_at) as extracted_at from college_versions
    union all
    select max(extracted_at) as extracted_at from sectors

),

latest as (

    select max(extracted_at) as extracted_at from extractions

),

final as (

    select
        {{ var('school_years_from') }} as first_start,
        {{ school_year_under_way('extracted_at') }} + 1 as last_start
    from latest

)

select * from final
