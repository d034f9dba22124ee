with

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

colleges as (

    select * from {{ ref('dim_college') }}

),

ranges as (

    select * from {{ ref('fct_street_range_college') }}
    where is_current

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

latest_outlines as (

    select max(school_year_start) as school_year_start from block_bands

),

-- Addresses that come with a point: the collèges' own, as the city has them, and those of the
-- ministry's directory.
listed as (

    select
        'college' as address_source,
        college_id as source_key,
        college_id as own_college_id,
        address,
        insee_code,
        longitude,
        latitude
    from colleges
    where is_open

    union all

    select
        'directory' as address_source,
        establishments.uai as source_key,
        colleges.college_id as own_college_id,
        establishments.address,
        establishments.insee_code,
        establishments.longitude,
        establishments.latitude
    from establishments
    left join colleges
        on establishments.uai = colleges.uai

),

-- in two steps: normalise_street writes its argument many times over
split as (

    select
        *,
        address_source || ' ' || source_key as address_key,
        {{ address_number('address') }} as house_number,
        {{ address_street('address') }} as street
    from listed

),

addresses as (

    select
        *,
        {{ normalise_street('street') }} as street_key
    from split

),

points as (

    select
        addresses.address_key as point_key,
        latest_outlines.school_year_start,
        addresses.longitude,
        addresses.latitude
    from addresses
    cross join latest_outlines
    where addresses.longitude is not null and addresses.latitude is not null

),

located as (

    select * from {{ points_in_blocks('points', 'block_bands', 'edges') }}

),

by_outline as (

    select
        located.point_key as address_key,
        located.school_year_start,
        {{ join_sorted('sector_colleges.college_id') }} as outline_college_ids
    from located
    inner join sector_colleges
        on
            located.school_year_start = sector_colleges.school_year_start
            and located.sector_key = sector_colleges.sector_key
    group by located.point_key, located.school_year_start

),

streets as (

    select distinct
        insee_code,
        street_key
    from ranges
    where street_key is not null

),

by_range as (

    select
        addresses.address_key,
        {{ join_sorted('ranges.uai') }} as range_uais,
        {{ join_sorted('ranges.college_id') }} as range_college_ids
    from addresses
    inner join ranges
        on
            addresses.insee_code = ranges.insee_code
            and (
                ranges.is_single_college_commune
                or (
                    addresses.street_key = ranges.street_key
                    and addresses.house_number between ranges.number_from and ranges.number_to
                    and ranges.parity in (
                        'both',
                        case mod(addresses.house_number, 2) when 0 then 'even' else 'odd' end
                    )
                )
            )
    group by addresses.address_key

),

final as (

    select
        addresses.address_key,
        addresses.address_source,
        addresses.own_college_id,
        addresses.address,
        addresses.insee_code,
        addresses.longitude,
        addresses.latitude,
        addresses.house_number,
        addresses.street_key,
        streets.street_key is not null as is_street_known,
        by_range.range_uais,
        by_range.range_college_ids,
        latest_outlines.school_year_start as outline_school_year_start,
        by_outline.outline_college_ids
    from addresses
    cross join latest_outlines
    left join streets
        on
            addresses.insee_code = streets.insee_code
            and addresses.street_key = streets.street_key
    left join by_range
        on addresses.address_key = by_range.address_key
    left join by_outline
        on addresses.address_key = by_outline.address_key

)

select * from final
