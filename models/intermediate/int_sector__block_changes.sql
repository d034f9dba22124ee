with

blocks as (

    select * from {{ ref('int_sector__block_colleges') }}

),

held_years as (

    select distinct school_year_start from blocks

),

steps as (

    select
        school_year_start,
        lag(school_year_start) over (order by school_year_start) as from_school_year_start
    from held_years

),

-- who has a block in either of the two years
colleges as (

    select
        steps.school_year_start,
        steps.from_school_year_start,
        blocks.block_key,
        blocks.college_id,
        max(blocks.area_km2) as area_km2,
        max(
            case when blocks.school_year_start = steps.from_school_year_start then 1 else 0 end
        ) as was_held,
        max(
            case when blocks.school_year_start = steps.school_year_start then 1 else 0 end
        ) as is_held
    from steps
    inner join blocks
        on blocks.school_year_start in (steps.from_school_year_start, steps.school_year_start)
    where steps.from_school_year_start is not null
    group by
        steps.school_year_start,
        steps.from_school_year_start,
        blocks.block_key,
        blocks.college_id

),

-- What is in no sector of one of the two years has no pair, and so is not compared.
pairs as (

    select
        earlier.school_year_start,
        earlier.from_school_year_start,
        earlier.block_key,
        earlier.area_km2,
        earlier.college_id as from_college_id,
        later.college_id as to_college_id,
        earlier.is_held = 0 as is_lost,
        later.was_held = 0 as is_gained,
        min(earlier.is_held) over (
            partition by earlier.school_year_start, earlier.block_key
        ) = 0 as has_lost,
        min(later.was_held) over (
            partition by earlier.school_year_start, earlier.block_key
        ) = 0 as has_gained
    from colleges as earlier
    inner join colleges as later
        on
            earlier.school_year_start = later.school_year_start
            and earlier.block_key = later.block_key
    where
        earlier.was_held = 1
        and later.is_held = 1

),

-- A block that left one collège for another is one pair. Where a sector is shared, a collège that
-- is gained or lost pairs with those that stay.
final as (

    select
        school_year_start,
        from_school_year_start,
        block_key,
        from_college_id,
        to_college_id,
        (has_lost or has_gained)
        and from_college_id <> to_college_id
        and is_lost = has_lost
        and is_gained = has_gained as is_change,
        area_km2
    from pairs

)

select * from final
