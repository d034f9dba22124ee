with

school_years as (

    select * from {{ ref('dim_school_year') }}

),

digits as (

    {% for digit in range(10) -%}
    select {{ digit }} as digit{{ ' union all' if not loop.last }}
    {% endfor %}
),

days_of_a_year as (

    select hundreds.digit * 100 + tens.digit * 10 + ones.digit as day_number
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
    where hundreds.digit < 4

),

final as (

    -- a date plus a whole number is a date, that many days later, on both engines
    select
        school_years.starts_on + days_of_a_year.day_number as day_on,
        school_years.school_year
    from school_years
    inner join days_of_a_year
        on school_years.starts_on + days_of_a_year.day_number <= school_years.ends_on

)

select * from final
