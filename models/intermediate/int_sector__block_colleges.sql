with

blocks as (

    select * from {{ ref('int_sector__blocks') }}

),

block_bands as (

    select * from {{ ref('int_sector__block_bands') }}

),

edges as (

    select * from {{ ref('int_sector__edges') }}

),

sector_colleges as (

    select * from {{ ref('int_sector__colleges') }}

),

held_years as (

    select distinct school_year_start from blocks

),

latest_blocks as (

    select
        sector_key || ' ' || cast(polygon_number as varchar) as block_key,
        longitude,
        latitude,
        area_km2
    from blocks
    qualify school_year_start = max(school_year_start) over ()

),

points as (

    select
        latest_blocks.block_key as point_key,
        held_years.school_year_start,
        latest_blocks.longitude,
        latest_blocks.latitude
    from latest_blocks
    cross join held_years

),

-- outlines overlap by some metres here and there: one sector a block and year
located as (

    select *
    from {{ points_in_blocks('points', 'block_bands', 'edges') }}
    qualify
        row_number() over (
            partition by point_key, school_year_start
            order by
                case
                    when point_key = sector_key || ' ' || cast(polygon_number as varchar) then 0
                    else 1
                end asc,
                sector_key asc,
                polygon_number asc
        ) = 1

),

final as (

    select distinct
        latest_blocks.block_key,
        located.school_year_start,
        located.sector_key,
        sector_colleges.college_id,
        latest_blocks.longitude,
        latest_blocks.latitude,
        latest_blocks.area_km2
    from located
    inner join latest_blocks
        on located.point_key = latest_blocks.block_key
    inner join sector_colleges
        on
            located.school_year_start = sector_colleges.school_year_start
            and located.sector_key = sector_colleges.sector_key
    where sector_colleges.college_id is not null

)

select * from final
