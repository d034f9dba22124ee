with

distances as (

    select * from {{ ref('fct_college_distance') }}

),

both_ways as (

    select
        school_year,
        college_id_a as college_id,
        college_id_b as neighbour_college_id,
        distance_km
    from distances

    union all

    select
        school_year,
        college_id_b as college_id,
        college_id_a as neighbour_college_id,
        distance_km
    from distances

),

ranked as (

    select
        *,
        row_number() over (
            partition by school_year, college_id
            order by distance_km, neighbour_college_id
        ) as neighbour_rank
    from both_ways

),

final as (

    select
        college_id,
        school_year,
        cast(neighbour_rank as integer) as neighbour_rank,
        neighbour_college_id,
        distance_km
    from ranked
    where neighbour_rank <= {{ var('neighbours_ranked') }} or distance_km <= 1

)

select * from final
