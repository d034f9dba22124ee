{% set slots = [1, 2, 3, 4] %}

with

sectors as (

    select * from {{ ref('stg_opendata_paris__sectors') }}

),

whole as (

    select * from {{ ref('int_school_year__published') }}
    where source_name = 'sectors' and is_whole

),

expanded as (

    select
        sectors.*,
        whole.school_year_start,
        {{ school_year_name('whole.school_year_start') }} as school_year,
        {{ normalise_name('sectors.sector_name') }} as sector_key
    from sectors
    inner join whole
        on
            whole.school_year_start
            between sectors.first_school_year_start and sectors.last_school_year_start

),

-- As for collèges: the narrower label says more about a year, then the portal's latest word counts.
deduplicated as (

    select *
    from expanded
    qualify
        row_number() over (
            partition by sector_key, school_year_start
            order by
                last_school_year_start - first_school_year_start asc,
                is_withdrawn asc,
                run_sequence desc,
                record_key asc
        ) = 1

),

described as (

    select
        *,
        nullif(
            {% for slot in slots -%}
            {{ "|| '|' || " if not loop.first -}}
            coalesce({{ directory_name_key(normalise_name('college_name_' ~ slot)) }}, '')
            {% endfor -%}
            , '|||'
        ) as names_key,
        nullif(
            {% for slot in slots -%}
            {{ "|| '|' || " if not loop.first -}}
            coalesce({{ normalise_address('college_address_' ~ slot) }}, '')
            {% endfor -%}
            , '|||'
        ) as addresses_key
    from deduplicated

),

-- Addresses tell where no other sector of the school year has the same: a place holder has many.
keys as (

    select
        sector_key,
        school_year_start,
        is_withdrawn,
        withdrawn_at,
        'names ' || names_key as successor_key
    from described

    union all

    select
        sector_key,
        school_year_start,
        is_withdrawn,
        withdrawn_at,
        'addresses ' || addresses_key as successor_key
    from described
    qualify count(*) over (partition by school_year_start, addresses_key) = 2

),

-- A sector that went before another of the same school year that names the same collèges was given
-- another name; those that went with their school year are the erased past, and one without a
-- successor may be missing by mistake.
successors as (

    select distinct
        gone.sector_key,
        gone.school_year_start
    from keys as gone
    inner join keys as present
        on
            gone.school_year_start = present.school_year_start
            and gone.successor_key = present.successor_key
    where
        gone.is_withdrawn
        and (not present.is_withdrawn or gone.withdrawn_at < present.withdrawn_at)

),

final as (

    select
        described.record_key,
        described.sector_key,
        described.sector_name,
        described.school_year_start,
        described.school_year,
        described.is_shared,
        described.sector_label,
        described.college_name_1,
        described.college_name_2,
        described.college_name_3,
        described.college_name_4,
        described.college_address_1,
        described.college_address_2,
        described.college_address_3,
        described.college_address_4,
        described.area_m2,
        described.longitude,
        described.latitude,
        described.boundary_geojson,
        described.is_withdrawn,
        successors.sector_key is not null as is_replaced,
        described.extracted_at
    from described
    left join successors
        on
            described.sector_key = successors.sector_key
            and described.school_year_start = successors.school_year_start

)

select * from final
