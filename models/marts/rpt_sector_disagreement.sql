with

answers as (

    select * from {{ ref('int_sector__address_answers') }}

),

reasoned as (

    select
        *,
        case
            when range_college_ids is not null and outline_college_ids is not null
                then 'another_college'
            when range_uais is not null and range_college_ids is null then 'college_not_found'
            when outline_college_ids is null and longitude is not null then 'outside_every_outline'
            when longitude is null then 'no_point'
            when house_number is null then 'no_house_number'
            when not is_street_known then 'street_not_found'
            else 'outside_every_range'
        end as disagreement,
        (range_college_ids is distinct from outline_college_ids) as is_disagreement
    from answers

),

-- a collège's id has always the same length: none stands inside another
placed as (

    select
        *,
        case
            when is_disagreement then disagreement
            when
                address_source = 'college'
                and coalesce(range_college_ids, outline_college_ids)
                not like '%' || own_college_id || '%'
                then 'outside_own_sector'
        end as reason
    from reasoned

),

final as (

    select
        address_key,
        address_source,
        address,
        insee_code,
        longitude,
        latitude,
        own_college_id,
        range_college_ids,
        range_uais,
        case
            when outline_school_year_start is not null
                then {{ school_year_name('outline_school_year_start') }}
        end as outline_school_year,
        outline_college_ids,
        reason
    from placed
    where reason is not null

)

select * from final
