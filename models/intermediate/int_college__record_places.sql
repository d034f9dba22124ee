with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

arrondissements as (

    select * from {{ ref('stg_opendata_paris__arrondissements') }}

),

points as (

    select * from {{ ref('int_arrondissement__points') }}

),

outlined as (

    select count(*) > 0 as has_outlines from {{ ref('int_arrondissement__edges') }}

),

inside as (

    select
        longitude,
        latitude,
        min(insee_code) as insee_code
    from points
    where is_inside
    group by longitude, latitude

),

-- What each of the three says: the code, the label and the point. A code that no arrondissement
-- has says nothing; where the arrondissements have not landed, any code is taken.
witnesses as (

    select
        colleges.record_key,
        colleges.arrondissement_code,
        colleges.insee_code as fallback_code,
        colleges.longitude,
        colleges.latitude,
        try_cast({{ first_match('colleges.arrondissement_label', '[0-9]+') }} as integer)
            as label_number,
        inside.insee_code as point_code,
        coalesce(outlined.has_outlines, false) as has_outlines,
        case
            when by_code.insee_code is not null or not outlined.has_outlines
                then colleges.arrondissement_code
        end as code,
        coalesce(
            {{ city_code('by_code.insee_code') }}, {{ city_code('inside.insee_code') }}, '751'
        ) as city_code
    from colleges
    cross join outlined
    left join arrondissements as by_code
        on colleges.arrondissement_code = by_code.insee_code
    left join inside
        on
            colleges.longitude = inside.longitude
            and colleges.latitude = inside.latitude

),

labelled as (

    select
        witnesses.*,
        by_label.insee_code as label_code
    from witnesses
    left join arrondissements as by_label
        on
            witnesses.label_number = by_label.arrondissement_number
            and witnesses.city_code = {{ city_code('by_label.insee_code') }}

),

compared as (

    select
        labelled.*,
        near_code.insee_code is not null as is_point_in_code,
        near_label.insee_code is not null as is_point_in_label
    from labelled
    left join points as near_code
        on
            labelled.longitude = near_code.longitude
            and labelled.latitude = near_code.latitude
            and labelled.code = near_code.insee_code
    left join points as near_label
        on
            labelled.longitude = near_label.longitude
            and labelled.latitude = near_label.latitude
            and labelled.label_code = near_label.insee_code

),

-- Two of three win; where all three differ, or two stand alone, the code does, then the label.
decided as (

    select
        *,
        case
            when code = label_code or is_point_in_code then code
            when is_point_in_label then label_code
            else coalesce(code, label_code, point_code, fallback_code)
        end as insee_code,
        has_outlines
        and longitude is not null
        and coalesce(code = label_code, false)
        and not is_point_in_code as is_point_refused,
        (arrondissement_code is not null and code is null)
        or coalesce(code <> label_code, false)
        or (
            has_outlines
            and longitude is not null
            and (
                (code is not null and not is_point_in_code)
                or (label_code is not null and not is_point_in_label)
            )
        ) as is_place_conflicting
    from compared

),

final as (

    select
        decided.record_key,
        decided.insee_code,
        coalesce(arrondissements.arrondissement_number, decided.label_number)
            as arrondissement_number,
        case when not decided.is_point_refused then decided.longitude end as longitude,
        case when not decided.is_point_refused then decided.latitude end as latitude,
        decided.arrondissement_code,
        decided.label_code,
        decided.point_code,
        decided.longitude as published_longitude,
        decided.latitude as published_latitude,
        decided.is_point_refused,
        decided.is_place_conflicting
    from decided
    left join arrondissements
        on decided.insee_code = arrondissements.insee_code

)

select * from final
