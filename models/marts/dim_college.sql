with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

spans as (

    select
        college_id,
        min(school_year) as first_school_year,
        max(school_year) as last_school_year
    from school_years
    group by college_id

),

latest_held as (

    select *
    from school_years
    qualify row_number() over (partition by college_id order by school_year_start desc) = 1

),

final as (

    select
        latest_held.college_id,
        uai_links.uai,
        uai_links.uai_match_method,
        latest_held.college_name,
        latest_held.address,
        latest_held.insee_code,
        latest_held.arrondissement_number,
        round(latest_held.longitude, 6) as longitude,
        round(latest_held.latitude, 6) as latitude,
        spans.first_school_year,
        spans.last_school_year,
        spine.is_current as is_open
    from latest_held
    inner join spans
        on latest_held.college_id = spans.college_id
    inner join spine
        on latest_held.school_year_start = spine.school_year_start
    left join uai_links
        on latest_held.college_id = uai_links.college_id

)

select * from final
