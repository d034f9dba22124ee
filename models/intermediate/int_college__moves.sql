with recursive

school_years as (

    select * from {{ ref('int_college__sequence') }}

),

places as (

    select
        *,
        {{ address_words(address_street('address')) }} as street,
        {{ address_number('address') }} as house_number
    from school_years

),

-- Every two school years of a collège. A null address or point says nothing, a respelled street is
-- the same street, and a number lost or found is no other address.
pairs as (

    select
        earlier.college_id,
        earlier.step as from_step,
        later.step as to_step,
        earlier.street is null and later.street is not null as is_first_address,
        earlier.longitude is null and later.longitude is not null as is_first_point,
        coalesce(
            {{ name_similarity('earlier.street', 'later.street') }}
            < {{ var('name_similarity_floor') }},
            false
        ) as is_other_street,
        coalesce(earlier.house_number <> later.house_number, false) as is_other_number,
        {{ haversine_m(
            'earlier.longitude', 'earlier.latitude', 'later.longitude', 'later.latitude'
        ) }} as moved_m
    from places as earlier
    inner join places as later
        on
            earlier.college_id = later.college_id
            and earlier.step < later.step

),

judged as (

    select
        college_id,
        from_step,
        to_step,
        is_first_address,
        is_first_point,
        is_other_street,
        is_other_street or is_other_number as is_other_address,
        coalesce(moved_m > {{ var('college_moved_threshold_m') }}, false) as is_moved,
        moved_m
    from pairs

),

-- Year by year, each is compared with the place reported last, not with the year before: four steps
-- of 89 m are a move. An address and a point have a year each in which they were reported last.
walk as (

    select
        college_id,
        step,
        step as address_step,
        step as point_step,
        cast(null as varchar) as change_type,
        cast(null as integer) as from_step,
        cast(null as double) as moved_m
    from places
    where not is_continuing

    union all

    select
        walk.college_id,
        places.step,
        case
            when
                by_address.is_first_address
                or by_address.is_other_street
                or (by_address.is_other_address and by_point.is_moved)
                then places.step
            else walk.address_step
        end as address_step,
        case
            when by_point.is_first_point or by_point.is_moved then places.step
            else walk.point_step
        end as point_step,
        case
            when by_point.is_moved and by_address.is_other_address then 'relocated'
            when by_point.is_moved then 'point_moved'
            when by_address.is_other_street then 'readdressed'
        end as change_type,
        case
            when by_point.is_moved and not by_address.is_other_address then walk.point_step
            else walk.address_step
        end as from_step,
        case when by_point.is_moved then by_point.moved_m end as moved_m
    from walk
    inner join places
        on
            walk.college_id = places.college_id
            and walk.step + 1 = places.step
            and places.is_continuing
    inner join judged as by_address
        on
            walk.college_id = by_address.college_id
            and walk.address_step = by_address.from_step
            and places.step = by_address.to_step
    inner join judged as by_point
        on
            walk.college_id = by_point.college_id
            and walk.point_step = by_point.from_step
            and places.step = by_point.to_step

),

final as (

    select
        walk.college_id,
        here.school_year,
        here.record_key,
        walk.change_type,
        case walk.change_type
            when 'point_moved' then {{ point_text('earlier.longitude', 'earlier.latitude') }}
            else earlier.address
        end as from_value,
        case walk.change_type
            when 'point_moved' then {{ point_text('here.longitude', 'here.latitude') }}
            else here.address
        end as to_value,
        walk.moved_m
    from walk
    inner join places as here
        on
            walk.college_id = here.college_id
            and walk.step = here.step
    inner join places as earlier
        on
            walk.college_id = earlier.college_id
            and walk.from_step = earlier.step
    where walk.change_type is not null

)

select * from final
