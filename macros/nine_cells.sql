{#
    The steps from a cell of a grid to itself and its eight neighbours, as a relation with step_x and
    step_y. Of two places in a grid whose cells are at least as wide and high as a distance, one is
    within that distance of the other only from the same or a neighbouring cell.
#}
{% macro nine_cells() -%}
    (
        {% for x in [-1, 0, 1] -%}
        {% set outer_loop = loop -%}
        {% for y in [-1, 0, 1] -%}
        select
            {{ x }} as step_x,
            {{ y }} as step_y
        {{- '\n        union all' if not (loop.last and outer_loop.last) }}
        {% endfor -%}
        {% endfor -%}
    ) as nine_cells
{%- endmacro %}

{#
    Column of the grid a longitude falls in, for cells at least `metres` wide everywhere south of
    60° N.
#}
{% macro cell_x(longitude, metres) -%}
    cast(floor({{ longitude }} / {{ metres / 111000 * 2 }}) as integer)
{%- endmacro %}

{# Row of the grid a latitude falls in, for cells at least `metres` high. #}
{% macro cell_y(latitude, metres) -%}
    cast(floor({{ latitude }} / {{ metres / 111000 }}) as integer)
{%- endmacro %}
