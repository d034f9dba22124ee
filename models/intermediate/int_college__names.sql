with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

latest_years as (

    select
        college_id,
        max(school_year_start) as school_year_start
    from school_years
    group by college_id

),

spellings as (

    select
        school_years.college_id,
        school_years.insee_code,
        {{ directory_name_key('school_years.name_key') }} as spelling,
        case
            when school_years.school_year_start = latest_years.school_year_start then 1
            else 0
        end as is_current
    from school_years
    inner join latest_years
        on school_years.college_id = latest_years.college_id

),

final as (

    select
        college_id,
        insee_code,
        spelling,
        max(is_current) as is_current
    from spellings
    group by college_id, insee_code, spelling

)

select * from final
