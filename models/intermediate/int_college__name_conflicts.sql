with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

spelled as (

    select
        *,
        {{ directory_name_key('name_key') }} as spelling,
        {{ city_code('insee_code') }} as city_code
    from school_years

),

-- from one held school year to the next
successors as (

    select
        later.college_id,
        later.school_year,
        later.spelling,
        later.address_key,
        later.longitude,
        later.latitude,
        later.city_code,
        later.held_number,
        earlier.spelling as own_spelling_before,
        earlier.address_key as own_address_key_before
    from spelled as later
    left join spelled as earlier
        on
            later.college_id = earlier.college_id
            and later.held_number - 1 = earlier.held_number

),

compared as (

    select
        successors.college_id,
        other.college_id as other_college_id,
        successors.school_year,
        case
            when successors.spelling = other.spelling and successors.own_spelling_before is null
                then 'same_name_elsewhere'
            when
                successors.spelling = other.spelling
                and successors.own_spelling_before <> other.spelling
                then 'name_of_another'
            when
                successors.address_key = other.address_key
                and successors.own_address_key_before <> other.address_key
                and {{ haversine_m(
                    'successors.longitude', 'successors.latitude',
                    'other.longitude', 'other.latitude'
                ) | indent(16) }} <= {{ var('same_place_within_m') }}
                then 'place_of_another'
            when
                other_now.college_id is null
                and ' ' || successors.spelling || ' ' like '% ' || other.spelling || ' %'
                and successors.spelling <> coalesce(successors.own_spelling_before, '')
                then 'joint_name'
        end as conflict_type
    from successors
    inner join spelled as other
        on
            successors.city_code = other.city_code
            and successors.held_number - 1 = other.held_number
            and successors.college_id <> other.college_id
            and (
                successors.address_key = other.address_key
                or ' ' || successors.spelling || ' ' like '% ' || other.spelling || ' %'
            )
    left join spelled as other_now
        on
            other.college_id = other_now.college_id
            and successors.held_number = other_now.held_number

),

final as (

    select
        college_id,
        other_college_id,
        school_year,
        conflict_type
    from compared
    where conflict_type is not null

)

select * from final
