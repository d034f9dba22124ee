{%- set same_name_within_m = var('uai_same_name_within_m') -%}

with

places as (

    select * from {{ ref('int_college__places') }}

),

college_names as (

    select * from {{ ref('int_college__names') }}

),

entries as (

    select * from {{ ref('int_establishment__entries') }}
    where longitude is not null and latitude is not null

),

establishment_names as (

    select * from {{ ref('int_establishment__names') }}

),

places_in_cells as (

    select
        *,
        {{ cell_x('longitude', same_name_within_m) }} as cell_x,
        {{ cell_y('latitude', same_name_within_m) }} as cell_y
    from places

),

entries_in_cells as (

    select
        entries.uai,
        entries.longitude,
        entries.latitude,
        {{ cell_x('entries.longitude', same_name_within_m) }} + nine_cells.step_x as cell_x,
        {{ cell_y('entries.latitude', same_name_within_m) }} + nine_cells.step_y as cell_y
    from entries
    cross join {{ nine_cells() }}

),

near as (

    select
        places_in_cells.college_id,
        entries_in_cells.uai,
        min(
            {{ haversine_m(
                'places_in_cells.longitude', 'places_in_cells.latitude',
                'entries_in_cells.longitude', 'entries_in_cells.latitude'
            ) | indent(12) }}
        ) as distance_m
    from places_in_cells
    inner join entries_in_cells
        on
            places_in_cells.cell_x = entries_in_cells.cell_x
            and places_in_cells.cell_y = entries_in_cells.cell_y
    group by places_in_cells.college_id, entries_in_cells.uai

),

near_names as (

    select
        near.college_id,
        near.uai,
        college_names.spelling = establishment_names.spelling as is_same_name,
        case
            when college_names.spelling = establishment_names.spelling then cast(1 as double)
            when near.distance_m <= {{ var('similar_name_within_m') }}
                then
                    {{ name_similarity('college_names.spelling', 'establishment_names.spelling')
                       | indent(20) }}
        end as name_similarity
    from near
    inner join college_names
        on near.college_id = college_names.college_id
    inner join establishment_names
        on near.uai = establishment_names.uai
    where near.distance_m <= {{ same_name_within_m }}

),

final as (

    select
        college_id,
        uai,
        case
            when max(case when is_same_name then 1 else 0 end) = 1 then 'name_nearby'
            else 'similar_name_nearby'
        end as uai_match_method,
        max(name_similarity) as name_similarity
    from near_names
    where name_similarity >= {{ var('name_similarity_floor') }}
    group by college_id, uai

)

select * from final
