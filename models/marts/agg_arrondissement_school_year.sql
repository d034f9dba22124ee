with

arrondissements as (

    select * from {{ ref('dim_arrondissement') }}

),

school_years as (

    select * from {{ ref('dim_school_year') }}

),

colleges as (

    select * from {{ ref('dim_college') }}

),

college_school_years as (

    select * from {{ ref('fct_college_school_year') }}

),

neighbourhoods as (

    select * from {{ ref('fct_college_neighbourhood') }}

),

results as (

    select * from {{ ref('fct_college_result') }}

),

social_positions as (

    select * from {{ ref('fct_college_social_position') }}

),

held_school_years as (

    select distinct school_year from college_school_years

),

grid as (

    select
        arrondissements.arrondissement_number,
        school_years.school_year,
        held_school_years.school_year is not null as is_held
    from arrondissements
    cross join school_years
    left join held_school_years
        on school_years.school_year = held_school_years.school_year

),

places as (

    select
        college_school_years.arrondissement_number,
        college_school_years.school_year,
        count(*) as college_count,
        avg(neighbourhoods.nearest_km) as mean_nearest_km,
        median(neighbourhoods.nearest_km) as median_nearest_km,
        max(neighbourhoods.nearest_km) as max_nearest_km
    from college_school_years
    inner join neighbourhoods
        on
            college_school_years.school_year = neighbourhoods.school_year
            and college_school_years.college_id = neighbourhoods.college_id
    group by college_school_years.arrondissement_number, college_school_years.school_year

),

-- The ministry has years that the city never published: there a collège stands where it stood last.
results_in_place as (

    select
        results.*,
        coalesce(
            college_school_years.arrondissement_number, colleges.arrondissement_number
        ) as arrondissement_number
    from results
    inner join colleges
        on results.college_id = colleges.college_id
    left join college_school_years
        on
            results.school_year = college_school_years.school_year
            and results.college_id = college_school_years.college_id

),

-- Each measure is weighted by the candidates of those that have it.
weighted_results as (

    select
        arrondissement_number,
        school_year,
        count(*) as result_college_count,
        sum(candidates) as candidates,
        sum(candidates * success_rate_pct)
        / nullif(sum(case when success_rate_pct is not null then candidates end), 0)
            as success_rate_pct,
        sum(candidates * success_rate_value_added_points)
        / nullif(
            sum(case when success_rate_value_added_points is not null then candidates end), 0
        ) as success_rate_value_added_points,
        100.0 * sum(case when candidates is not null then mentions end)
        / nullif(sum(case when mentions is not null then candidates end), 0)
            as mention_rate_pct,
        sum(candidates * written_mark)
        / nullif(sum(case when written_mark is not null then candidates end), 0)
            as written_mark,
        sum(candidates * written_mark_value_added)
        / nullif(sum(case when written_mark_value_added is not null then candidates end), 0)
            as written_mark_value_added
    from results_in_place
    group by arrondissement_number, school_year

),

social_positions_in_place as (

    select
        social_positions.*,
        coalesce(
            college_school_years.arrondissement_number, colleges.arrondissement_number
        ) as arrondissement_number
    from social_positions
    inner join colleges
        on social_positions.college_id = colleges.college_id
    left join college_school_years
        on
            social_positions.school_year = college_school_years.school_year
            and social_positions.college_id = college_school_years.college_id
    where social_positions.ips is not null

),

-- The newer series gives no number of pupils: there every collège counts the same.
weighted_social_positions as (

    select
        arrondissement_number,
        school_year,
        count(*) as ips_college_count,
        count(*) = count(pupils) as is_ips_weighted,
        case
            when count(*) = count(pupils) then sum(pupils * ips) / nullif(sum(pupils), 0)
            else avg(ips)
        end as ips
    from social_positions_in_place
    group by arrondissement_number, school_year

),

final as (

    select
        grid.arrondissement_number,
        grid.school_year,
        case
            when grid.is_held then cast(coalesce(places.college_count, 0) as integer)
        end as college_count,
        round(places.mean_nearest_km, 3) as mean_nearest_km,
        round(places.median_nearest_km, 3) as median_nearest_km,
        places.max_nearest_km,
        cast(coalesce(weighted_results.result_college_count, 0) as integer)
            as result_college_count,
        cast(weighted_results.candidates as integer) as candidates,
        round(weighted_results.success_rate_pct, 1) as success_rate_pct,
        -- a mean just below zero rounds to -0.0, which adding zero puts right
        round(weighted_results.success_rate_value_added_points, 1) + 0.0
            as success_rate_value_added_points,
        round(weighted_results.mention_rate_pct, 1) as mention_rate_pct,
        round(weighted_results.written_mark, 1) as written_mark,
        round(weighted_results.written_mark_value_added, 1) + 0.0 as written_mark_value_added,
        cast(coalesce(weighted_social_positions.ips_college_count, 0) as integer)
            as ips_college_count,
        round(weighted_social_positions.ips, 1) as ips,
        weighted_social_positions.is_ips_weighted
    from grid
    left join places
        on
            grid.arrondissement_number = places.arrondissement_number
            and grid.school_year = places.school_year
    left join weighted_results
        on
            grid.arrondissement_number = weighted_results.arrondissement_number
            and grid.school_year = weighted_results.school_year
    left join weighted_social_positions
        on
            grid.arrondissement_number = weighted_social_positions.arrondissement_number
            and grid.school_year = weighted_social_positions.school_year

)

select * from final
