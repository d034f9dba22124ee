with

block_pairs as (

    select * from {{ ref('int_sector__block_changes') }}

),

ranges as (

    select * from {{ ref('fct_street_range_college') }}

),

totals as (

    select
        school_year_start,
        from_school_year_start,
        count(distinct block_key) as blocks_compared,
        count(distinct case when is_change then block_key end) as blocks_changed
    from block_pairs
    group by school_year_start, from_school_year_start

),

-- A range whose key is written otherwise (with a postal code, say) goes and comes in one run.
rewritten as (

    select
        removed.record_key as removed_key,
        added.record_key as added_key
    from ranges as removed
    inner join ranges as added
        on
            removed.withdrawn_at = added.first_extracted_at
            and removed.insee_code = added.insee_code
            and removed.street_key = added.street_key
            and removed.parity = added.parity
            and removed.number_from = added.number_from
            and removed.number_to = added.number_to
            and removed.college_id = added.college_id

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
    where
        removed.record_key not in (select rewritten.removed_key from rewritten)
        and added.record_key not in (select rewritten.added_key from rewritten)

),

changes as (

    select
        school_year_start,
        from_college_id,
        to_college_id,
        1 as blocks,
        area_km2,
        0 as street_ranges
    from block_pairs
    where is_change

    union all

    select
        school_year_start,
        from_college_id,
        to_college_id,
        0 as blocks,
        0 as area_km2,
        1 as street_ranges
    from range_changes

),

summed as (

    select
        school_year_start,
        from_college_id,
        to_college_id,
        sum(blocks) as blocks,
        sum(area_km2) as area_km2,
        sum(street_ranges) as street_ranges
    from changes
    group by school_year_start, from_college_id, to_college_id

),

final as (

    select
        {{ school_year_name('summed.school_year_start') }} as school_year,
        {{ school_year_name('totals.from_school_year_start') }} as from_school_year,
        summed.from_college_id,
        summed.to_college_id,
        cast(summed.blocks as integer) as blocks,
        round(summed.area_km2, 4) as area_km2,
        cast(summed.street_ranges as integer) as street_ranges,
        round(100.0 * nullif(summed.blocks, 0) / totals.blocks_compared, 2) as share_pct,
        cast(coalesce(totals.blocks_changed, 0) as integer) as blocks_changed,
        cast(coalesce(totals.blocks_compared, 0) as integer) as blocks_compared
    from summed
    left join totals
        on summed.school_year_start = totals.school_year_start

)

select * from final
