{% set same_name_within_m = 2000 %}
{% set similar_name_within_m = 300 %}
{% set similar_from = 0.8 %}
{#- A cell is at least 300 m wide and high everywhere south of 60° N, so that whoever is within
    300 m stands in the same or a neighbouring cell. -#}
{% set cell_height_degrees = similar_name_within_m / 111000 %}
{% set cell_width_degrees = cell_height_degrees * 2 %}

with

records as (

    select * from {{ ref('int_college__records') }}

),

-- a collège that did not move stands here once, not once a school year
places as (

    select
        identity_key,
        name_key,
        is_decided,
        round(longitude, 4) as longitude,
        round(latitude, 4) as latitude,
        cast(floor(longitude / {{ cell_width_degrees }}) as integer) as cell_x,
        cast(floor(latitude / {{ cell_height_degrees }}) as integer) as cell_y,
        min(point_run_sequence) as known_from_run_sequence
    from records
    where longitude is not null
    group by 1, 2, 3, 4, 5, 6, 7

),

neighbour_steps as (

    {% for x in [-1, 0, 1] -%}
    {% set outer_loop = loop -%}
    {% for y in [-1, 0, 1] -%}
    select
        {{ x }} as step_x,
        {{ y }} as step_y
    {{- ' union all' if not (loop.last and outer_loop.last) }}
    {% endfor -%}
    {% endfor %}
),

seen_from_neighbours as (

    select
        places.*,
        places.cell_x + neighbour_steps.step_x as seen_from_x,
        places.cell_y + neighbour_steps.step_y as seen_from_y
    from places
    cross join neighbour_steps

),

same_name as (

    select
        one.identity_key as identity_key_a,
        two.identity_key as identity_key_b,
        one.name_key as name_key_a,
        two.name_key as name_key_b,
        one.is_decided and two.is_decided as is_decided,
        'same_name' as match_rule,
        {{ same_name_within_m }} as within_m,
        greatest(one.known_from_run_sequence, two.known_from_run_sequence)
            as decided_run_sequence,
        {{ haversine_m('one.longitude', 'one.latitude', 'two.longitude', 'two.latitude') }}
            as distance_m
    from places as one
    inner join places as two
        on
            one.name_key = two.name_key
            and one.identity_key < two.identity_key

),

similar_name as (

    select
        one.identity_key as identity_key_a,
        two.identity_key as identity_key_b,
        one.name_key as name_key_a,
        two.name_key as name_key_b,
        one.is_decided and two.is_decided as is_decided,
        'similar_name' as match_rule,
        {{ similar_name_within_m }} as within_m,
        greatest(one.known_from_run_sequence, two.known_from_run_sequence)
            as decided_run_sequence,
        {{ haversine_m('one.longitude', 'one.latitude', 'two.longitude', 'two.latitude') }}
            as distance_m
    from places as one
    inner join seen_from_neighbours as two
        on
            one.cell_x = two.seen_from_x
            and one.cell_y = two.seen_from_y
            and one.identity_key < two.identity_key

),

near as (

    select * from same_name
    where distance_m <= within_m
    union all
    select * from similar_name
    where distance_m <= within_m

),

compared as (

    select
        identity_key_a,
        identity_key_b,
        name_key_a,
        name_key_b,
        is_decided,
        match_rule,
        decided_run_sequence,
        distance_m,
        {{ name_similarity('name_key_a', 'name_key_b') }} as name_similarity
    from near

),

-- A person who has spoken about both has spoken about the pair.
final as (

    select
        identity_key_a,
        identity_key_b,
        match_rule,
        decided_run_sequence,
        name_similarity,
        distance_m
    from compared
    where not is_decided and name_similarity >= {{ similar_from }}
    qualify
        row_number() over (
            partition by identity_key_a, identity_key_b
            order by
                decided_run_sequence asc,
                match_rule asc,
                name_similarity desc,
                distance_m asc,
                name_key_a asc,
                name_key_b asc
        ) = 1

)

select * from final
