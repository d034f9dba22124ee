with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

-- The ministry has years that the city never published: there a collège stands where the city last
-- said, and before its first year where it stood then.
final as (

    select
        school_years.college_id,
        spine.school_year_start,
        school_years.arrondissement_number
    from spine
    cross join school_years
    qualify
        row_number() over (
            partition by school_years.college_id, spine.school_year_start
            order by
                case
                    when school_years.school_year_start <= spine.school_year_start then 1
                    else 2
                end,
                abs(school_years.school_year_start - spine.school_year_start)
        ) = 1

)

select * from final
