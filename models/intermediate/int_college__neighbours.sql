{#- Rings searched one after the other: whoever found nobody within the first looks in the next.
    Cells are a little wider than the ring's reach everywhere south of 60° N (a degree of latitude
    is 111.19 km), so that the nine cells around a place hold all within reach of it: no neighbour
    hides behind a cell's border. -#}
{% set reaches_km = [1, 4, 16, 64] %}

with

school_years as (

    select * from {{ ref('fct_college_school_year') }}

),

located as (

    select
        school_year,
        college_id,
        longitude,
        latitude
    from school_years
    where longitude is not null and latitude is not null

),

neighbour_steps as (

    {% for x in [-1, 0, 1] -%}
    {% set outer_loop = loop -%}
    {% for y in [-1, 0, 1] -%}
    select {{ x }} as step_x, {{ y }} as step_y
    {{- ' union all' if not (loop.last and outer_loop.last) }}
    {% endfor -%}
    {% endfor %}
),

{% for reach_km in reaches_km -%}
{% set cell_height_degrees = reach_km / 111 -%}
{% set cell_width_degrees = cell_height_degrees * 2 -%}
{% set searching = 'located' if loop.first else 'alone_within_' ~ loop.previtem ~ '_km' -%}
looked_around_{{ reach_km }}_km as (

    select
        searching.school_year,
        searching.college_id,
        searching.longitude,
        searching.latitude,
        floor(searching.longitude / {{ cell_width_degrees }}) + neighbour_steps.step_x as cell_x,
        floor(searching.latitude / {{ cell_height_degrees }}) + neighbour_steps.step_y as cell_y
    from {{ searching }} as searching
    cross join neighbour_steps

),

in_cells_of_{{ reach_km }}_km as (

    select
        school_year,
        college_id,
        longitude,
        latitude,
        floor(longitude / {{ cell_width_degrees }}) as cell_x,
        floor(latitude / {{ cell_height_degrees }}) as cell_y
    from located

),

met_within_{{ reach_km }}_km as (

    select
        one.school_year,
        one.college_id,
        other.college_id as neighbour_college_id,
        {{ haversine_m(
            'one.longitude', 'one.latitude', 'other.longitude', 'other.latitude', decimals=0
        ) }} / 1000 as distance_km
    from looked_around_{{ reach_km }}_km as one
    inner join in_cells_of_{{ reach_km }}_km as other
        on
            one.school_year = other.school_year
            and one.cell_x = other.cell_x
            and one.cell_y = other.cell_y
            and one.college_id <> other.college_id

),

found_within_{{ reach_km }}_km as (

    select * from met_within_{{ reach_km }}_km
    where distance_km <= {{ reach_km }}

),

{% if not loop.last -%}
alone_within_{{ reach_km }}_km as (

    select searching.*
    from {{ searching }} as searching
    left join found_within_{{ reach_km }}_km as found
        on
            searching.school_year = found.school_year
            and searching.college_id = found.college_id
    where found.college_id is null

),

{% endif -%}
{% endfor -%}
found as (

    {% for reach_km in reaches_km -%}
    select * from found_within_{{ reach_km }}_km
    {{- '\n    union all' if not loop.last }}
    {% endfor %}
),

final as (

    select
        school_year,
        college_id,
        neighbour_college_id,
        distance_km
    from found

)

select * from final
