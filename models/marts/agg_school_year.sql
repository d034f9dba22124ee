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
        avg(nearest_km) as mean_nearest_km,
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
        avg(distance_km) as mean_pair_km,
        max(distance_km) as longest_pair_km
    from distances
    group by school_year

),

-- Each measure is weighted by the candidates of those that have it.
weighted_results as (

    select
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
            as written_mark
    from results
    group by school_year

),

-- The newer series gives no number of pupils: there every collège counts the same.
weighted_social_positions as (

    select
        school_year,
        count(*) as ips_college_count,
        count(*) = count(pupils) as is_ips_weighted,
        case
            when count(*) = count(pupils) then sum(pupils * ips) / nullif(sum(pupils), 0)
            else avg(ips)
        end as ips
    from social_positions
    where ips is not null
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
        round(weighted_results.success_rate_value_added_points, 1)
            as success_rate_value_added_points,
        round(weighted_results.mention_rate_pct, 1) as mention_rate_pct,
        round(weighted_results.written_mark, 1) as written_mark,
        cast(coalesce(weighted_social_positions.ips_college_count, 0) as integer)
            as ips_college_count,
        round(weighted_social_positions.ips, 1) as ips,
        weighted_social_positions.is_ips_weighted
    from school_years
    left join places
        on school_years.school_year = places.school_year
    left join pairs
        on school_years.school_year = pairs.school_year
    left join weighted_results
        on school_years.school_year = weighted_results.school_year
    left join weighted_social_positions
        on school_years.school_year = weighted_social_positions.school_year

)

select * from final
