with

distances as (

    select * from {{ ref('fct_college_distance') }}

),

school_years as (

    select * from {{ ref('fct_college_school_year') }}

),

current_school_year as (

    select * from {{ ref('dim_school_year') }}
    where is_current

),

final as (

    select
        one.college_name as from_school,
        other.college_name as to_school,
        distances.distance_km as distance_in_km,
        distances.college_id_a as from_college_id,
        distances.college_id_b as to_college_id,
        distances.school_year
    from distances
    inner join current_school_year
        on distances.school_year = current_school_year.school_year
    inner join school_years as one
        on
            distances.school_year = one.school_year
            and distances.college_id_a = one.college_id
    inner join school_years as other
        on
            distances.school_year = other.school_year
            and distances.college_id_b = other.college_id

)

select * from final
