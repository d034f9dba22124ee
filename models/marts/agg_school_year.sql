with

school_years as (

    select * from {{ ref('dim_school_year') }}

),

neighbourhoods as (

    select * from {{ ref('fct_college_neighbourhood') }}

),

distances as (

    select * from {{ ref('fct_college_distance') }}

),

results as (

    select * from {{ ref('fct_college_result') }}

),

social_positions as (

    select * from {{ ref('fct_college_social_position') }}

),

places as (

    select
        school_year,
        count(*) as college_count,
        {{ mean('nearest_km') }} as mean_nearest_km,
        median(nearest_km) as median_nearest_km,
        max(nearest_km) as max_nearest_km
    from neighbourhoods
    group by school_year

),

pairs as (

    select
        school_year,
        count(*) as pair_count,
        min(distance_km) as shortest_pair_km,
        {{ mean('distance_km') }} as mean_pair_km,
        max(distance_km) as longest_pair_km
    from distances
    group by school_year

),

-- Each measure is weighted by the candidates of those that have it. What the ministry took back
-- counts no more.
weighted_results as (

    select
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
    group by school_year

),

-- Series ap2023 gives no number of pupils: there the weighted mean is null, the plain one is not.
positions as (

    select
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
    group by school_year

),

final as (

    select
        school_years.school_year,
        cast(places.college_count as integer) as college_count,
        cast(coalesce(pairs.pair_count, 0) as integer) as pair_count,
        pairs.shortest_pair_km,
        round(pairs.mean_pair_km, 3) as mean_pair_km,
        pairs.longest_pair_km,
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
    from school_years
    left join places
        on school_years.school_year = places.school_year
    left join pairs
        on school_years.school_year = pairs.school_year
    left join weighted_results
        on school_years.school_year = weighted_results.school_year
    left join positions
        on school_years.school_year = positions.school_year

)

select * from final
