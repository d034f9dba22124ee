with

colleges as (

    select * from {{ ref('int_school_year__colleges') }}

),

published as (

    select * from {{ ref('int_school_year__published') }}
    where is_whole

),

school_year_starts as (

    select school_year_start from colleges
    where is_whole or (colleges_now > 0 and held_number > 0)
    union all
    select school_year_start from published

),

bounds as (

    select
        min(school_year_start) as first_start,
        max(school_year_start) as last_start
    from school_year_starts

),

latest_held as (

    select max(school_year_start) as school_year_start from colleges
    where is_whole

),

digits as (

    {% for digit in range(10) -%}
    select {{ digit }} as digit{{ ' union all' if not loop.last }}
    {% endfor %}
),

offsets as (

    select tens.digit * 10 + ones.digit as years
    from digits as tens
    cross join digits as ones

),

calendar as (

    select cast(bounds.first_start + offsets.years as integer) as school_year_start
    from bounds
    inner join offsets
        on bounds.first_start + offsets.years <= bounds.last_start

),

final as (

    select
        calendar.school_year_start,
        {{ school_year_name('calendar.school_year_start') }} as school_year,
        coalesce(calendar.school_year_start = latest_held.school_year_start, false) as is_current,
        coalesce(colleges.is_whole, false) as is_held,
        coalesce(not colleges.is_whole and colleges.colleges_now > 0, false) as is_partial
    from calendar
    cross join latest_held
    left join colleges
        on calendar.school_year_start = colleges.school_year_start

)

select * from final
