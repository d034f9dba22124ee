{%- set similar_name_within_m = var('similar_name_within_m') -%}
{%- set same_place_within_m = var('same_place_within_m') -%}

with

records as (

    select * from {{ ref('int_college__records') }}

),

identity_school_years as (

    select * from {{ ref('int_college__identity_school_years') }}

),

identity_uais as (

    select * from {{ ref('int_college__identity_uais') }}

),

-- to the metre, so that a collège that did not move stands here once, not once a school year
places as (

    select distinct
        identity_key,
        spelling,
        address_key,
        round(longitude, 5) as longitude,
        round(latitude, 5) as latitude,
        {{ cell_x('longitude', similar_name_within_m) }} as cell_x,
        {{ cell_y('latitude', similar_name_within_m) }} as cell_y
    from records
    where longitude is not null

),

same_name as (

    select
        one.identity_key as identity_key_a,
        two.identity_key as identity_key_b,
        'same_name' as match_rule,
        2 as rule_rank,
        cast(1 as double) as name_similarity,
        {{ haversine_m('one.longitude', 'one.latitude', 'two.longitude', 'two.latitude') }}
            as distance_m
    from places as one
    inner join places as two
        on
            one.spelling = two.spelling
            and one.identity_key < two.identity_key

),

near as (

    select
        one.identity_key as identity_key_a,
        two.identity_key as identity_key_b,
        one.address_key = two.address_key as is_same_address,
        {{ name_similarity('one.spelling', 'two.spelling') }} as name_similarity,
        {{ haversine_m('one.longitude', 'one.latitude', 'two.longitude', 'two.latitude') }}
            as distance_m
    from places as one
    cross join {{ nine_cells() }}
    inner join places as two
        on
            one.cell_x + nine_cells.step_x = two.cell_x
            and one.cell_y + nine_cells.step_y = two.cell_y
            and one.identity_key < two.identity_key

),

-- One follows the other: from one school year held to the next, or within one, where the portal put
-- another name in the place of one it took back.
successions as (

    select distinct
        near.identity_key_a,
        near.identity_key_b
    from near
    inner join identity_school_years as one
        on near.identity_key_a = one.identity_key
    inner join identity_school_years as two
        on near.identity_key_b = two.identity_key
    where
        near.is_same_address
        and (
            (
                not one.is_retracted
                and not two.is_retracted
                and one.held_number between two.held_number - 1 and two.held_number + 1
            )
            or (
                one.school_year_start = two.school_year_start
                and one.is_retracted
                and one.withdrawn_run_sequence <= two.first_run_sequence
            )
            or (
                one.school_year_start = two.school_year_start
                and two.is_retracted
                and two.withdrawn_run_sequence <= one.first_run_sequence
            )
        )

),

by_rule as (

    select
        one.identity_key as identity_key_a,
        two.identity_key as identity_key_b,
        'same_uai' as match_rule,
        1 as rule_rank,
        cast(null as double) as name_similarity,
        cast(null as double) as distance_m
    from identity_uais as one
    inner join identity_uais as two
        on
            one.uai = two.uai
            and one.identity_key < two.identity_key

    union all

    select
        identity_key_a,
        identity_key_b,
        match_rule,
        rule_rank,
        name_similarity,
        distance_m
    from same_name
    where distance_m <= {{ var('same_name_within_m') }}

    union all

    select
        near.identity_key_a,
        near.identity_key_b,
        'same_place' as match_rule,
        3 as rule_rank,
        near.name_similarity,
        near.distance_m
    from near
    inner join successions
        on
            near.identity_key_a = successions.identity_key_a
            and near.identity_key_b = successions.identity_key_b
    where near.is_same_address and near.distance_m <= {{ same_place_within_m }}

    union all

    select
        identity_key_a,
        identity_key_b,
        'similar_name' as match_rule,
        4 as rule_rank,
        name_similarity,
        distance_m
    from near
    where
        distance_m <= {{ similar_name_within_m }}
        and name_similarity >= {{ var('name_similarity_floor') }}

),

final as (

    select
        identity_key_a,
        identity_key_b,
        match_rule,
        rule_rank,
        name_similarity,
        distance_m
    from by_rule
    qualify
        row_number() over (
            partition by identity_key_a, identity_key_b
            order by rule_rank asc, distance_m asc, name_similarity desc
        ) = 1

)

select * from final
