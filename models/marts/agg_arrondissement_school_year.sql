with

arrondissements as (

    select * from {{ ref('dim_arrondissement') }}

),

school_years as (

    select * from {{ ref('dim_school_year') }}

),

college_school_years as (

    select * from {{ ref('fct_college_school_year') }}
    where not is_partial_school_year

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
        {{ mean('neighbourhoods.nearest_km') }} as mean_nearest_km,
        median(neighbourhoods.nearest_km) as median_nearest_km,
        max(neighbourhoods.nearest_km) as max_nearest_km
    from college_school_years
    inner join neighbourhoods
        on
            college_school_years.school_year = neighbourhoods.school_year
            and college_school_years.college_id = neighbourhoods.college_id
    group by college_school_years.arrondissement_number, college_school_years.school_year

),

-- Each measure is weighted by the candidates of those that have it. What the ministry took back
-- counts no more.
weighted_results as (

    select
        arrondissement_number,
        school_year,
        count(*) as result_college_count,
        sum(candidates) as candidates,
        {{ weighted_mean('success_rate_pct', 'candidates') }} as success_rate_pct,
        {{ weighted_mean('success_rate_value_added_points', 'candidates') }}
            as success_rate_value_added_points,
        round(
            cast(100 as double) * sum(case when candidates is not null then mentions end)
            / nullif(sum(case when mentions is not null then candidates end), 0),
            9
        ) as mention_rate_pct,
        {{ weighted_mean('written_mark', 'candidates') }} as written_mark,
        {{ weighted_mean('written_mark_value_added', 'candidates') }} as written_mark_value_added
    from results
    where not is_retracted
    group by arrondissement_number, school_year

),

-- Series ap2023 gives no number of pupils: there the weighted mean is null, the plain one is not.
positions as (

    select
        arrondissement_number,
        school_year,
        count(*) as ips_college_count,
        {{ mean('ips') }} as ips_mean,
        median(ips) as ips_median,
        case
            when count(*) = count(pupils) then {{ weighted_mean('ips', 'pupils') }}
        end as ips_weighted,
        max(ips_department_public) as ips_department_public
    from social_positions
    where ips is not null and not is_retracted
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
        cast(coalesce(positions.ips_college_count, 0) as integer)
            as ips_college_count,
        round(positions.ips_mean, 1) as ips_mean,
        round(positions.ips_median, 1) as ips_median,
        round(positions.ips_weighted, 1) as ips_weighted,
        positions.ips_department_public
    from grid
    left join places
        on
            grid.arrondissement_number = places.arrondissement_number
            and grid.school_year = places.school_year
    left join weighted_results
        on
            grid.arrondissement_number = weighted_results.arrondissement_number
            and grid.school_year = weighted_results.school_year
    left join positions
        on
            grid.arrondissement_number = positions.arrondissement_number
            and grid.school_year = positions.school_year

)

select * from final
