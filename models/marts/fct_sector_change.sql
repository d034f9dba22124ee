with

blocks as (

    select * from {{ ref('int_sector__block_colleges') }}

),

ranges as (

    select * from {{ ref('fct_street_range_college') }}

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

block_years as (

    select distinct
        block_key,
        school_year_start,
        area_km2
    from blocks

),

-- what is in no sector of one of both years is not compared
compared as (

    select
        steps.school_year_start,
        steps.from_school_year_start,
        later.block_key,
        later.area_km2
    from steps
    inner join block_years as later
        on steps.school_year_start = later.school_year_start
    inner join block_years as earlier
        on
            steps.from_school_year_start = earlier.school_year_start
            and later.block_key = earlier.block_key

),

colleges_before as (

    select
        compared.school_year_start,
        compared.block_key,
        compared.area_km2,
        held_before.college_id,
        case when same.college_id is null then 1 else 0 end as is_lost
    from compared
    inner join blocks as held_before
        on
            compared.from_school_year_start = held_before.school_year_start
            and compared.block_key = held_before.block_key
    left join blocks as same
        on
            compared.school_year_start = same.school_year_start
            and compared.block_key = same.block_key
            and held_before.college_id = same.college_id

),

colleges_after as (

    select
        compared.school_year_start,
        compared.block_key,
        held_after.college_id,
        case when same.college_id is null then 1 else 0 end as is_gained
    from compared
    inner join blocks as held_after
        on
            compared.school_year_start = held_after.school_year_start
            and compared.block_key = held_after.block_key
    left join blocks as same
        on
            compared.from_school_year_start = same.school_year_start
            and compared.block_key = same.block_key
            and held_after.college_id = same.college_id

),

-- A block that left one collège for another is one pair. Where a sector is shared, a collège that
-- is gained or lost pairs with those that stay.
block_pairs as (

    select
        colleges_before.school_year_start,
        colleges_before.block_key,
        colleges_before.area_km2,
        colleges_before.college_id as from_college_id,
        colleges_after.college_id as to_college_id,
        colleges_before.is_lost,
        colleges_after.is_gained,
        max(colleges_before.is_lost) over (
            partition by colleges_before.school_year_start, colleges_before.block_key
        ) as has_lost,
        max(colleges_after.is_gained) over (
            partition by colleges_before.school_year_start, colleges_before.block_key
        ) as has_gained
    from colleges_before
    inner join colleges_after
        on
            colleges_before.school_year_start = colleges_after.school_year_start
            and colleges_before.block_key = colleges_after.block_key

),

changed_blocks as (

    select *
    from block_pairs
    where
        has_lost + has_gained > 0
        and from_college_id <> to_college_id
        and is_lost = has_lost
        and is_gained = has_gained

),

block_totals as (

    select
        school_year_start,
        count(*) as blocks_compared
    from compared
    group by school_year_start

),

changed_totals as (

    select
        school_year_start,
        count(distinct block_key) as blocks_changed
    from changed_blocks
    group by school_year_start

),

by_blocks as (

    select
        school_year_start,
        from_college_id,
        to_college_id,
        count(*) as blocks,
        sum(area_km2) as area_km2
    from changed_blocks
    group by school_year_start, from_college_id, to_college_id

),

-- Ranges carry no school year. What is new from July on is of the year that begins in summer.
range_changes as (

    select distinct
        {{ school_year_start_of('added.first_extracted_at') }} as school_year_start,
        removed.college_id as from_college_id,
        added.college_id as to_college_id,
        added.record_key
    from ranges as removed
    inner join ranges as added
        on
            removed.withdrawn_at = added.first_extracted_at
            and removed.insee_code = added.insee_code
            and removed.street_key = added.street_key
            and (
                removed.parity = added.parity or removed.parity = 'both' or added.parity = 'both'
            )
            and removed.number_from <= added.number_to
            and removed.number_to >= added.number_from
            and removed.college_id <> added.college_id

),

by_ranges as (

    select
        school_year_start,
        from_college_id,
        to_college_id,
        count(*) as street_ranges
    from range_changes
    group by school_year_start, from_college_id, to_college_id

),

pairs as (

    select
        school_year_start,
        from_college_id,
        to_college_id
    from by_blocks
    union distinct
    select
        school_year_start,
        from_college_id,
        to_college_id
    from by_ranges

),

final as (

    select
        {{ school_year_name('pairs.school_year_start') }} as school_year,
        {{ school_year_name('steps.from_school_year_start') }} as from_school_year,
        pairs.from_college_id,
        pairs.to_college_id,
        cast(coalesce(by_blocks.blocks, 0) as integer) as blocks,
        round(coalesce(by_blocks.area_km2, 0), 4) as area_km2,
        cast(coalesce(by_ranges.street_ranges, 0) as integer) as street_ranges,
        round(100.0 * by_blocks.blocks / block_totals.blocks_compared, 2) as share_pct,
        cast(coalesce(changed_totals.blocks_changed, 0) as integer) as blocks_changed,
        cast(coalesce(block_totals.blocks_compared, 0) as integer) as blocks_compared
    from pairs
    left join by_blocks
        on
            pairs.school_year_start = by_blocks.school_year_start
            and pairs.from_college_id = by_blocks.from_college_id
            and pairs.to_college_id = by_blocks.to_college_id
    left join by_ranges
        on
            pairs.school_year_start = by_ranges.school_year_start
            and pairs.from_college_id = by_ranges.from_college_id
            and pairs.to_college_id = by_ranges.to_college_id
    left join steps
        on pairs.school_year_start = steps.school_year_start
    left join block_totals
        on pairs.school_year_start = block_totals.school_year_start
    left join changed_totals
        on pairs.school_year_start = changed_totals.school_year_start

)

select * from final
