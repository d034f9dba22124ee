with

written_otherwise as (

    select * from {{ ref('int_portal_edit__values') }}

),

outlines as (

    select * from {{ ref('int_portal_edit__outlines') }}

),

-- the ministry's words for no value say as much as none; the shape of a point is named by its kind
worded as (

    select
        *,
        case
            when {{ is_no_value('old_text') }} then null
            when old_longitude is not null then coalesce(old_geometry_type, old_text)
            else old_text
        end as old_words,
        case
            when {{ is_no_value('new_text') }} then null
            when new_longitude is not null then coalesce(new_geometry_type, new_text)
            else new_text
        end as new_words
    from written_otherwise

),

compared as (

    select
        *,
        case
            when old_longitude is not null and new_longitude is not null
                then
                    {{ haversine_m(
                        'old_longitude', 'old_latitude', 'new_longitude', 'new_latitude', decimals=3
                    ) }} > 1
            when old_number is not null and new_number is not null
                then
                    abs(new_number - old_number)
                    > case
                        -- about 1.1 m each, so that the point has moved as well
                        when field = 'longitude' then 0.000015
                        when field = 'latitude' then 0.00001
                        when field in ('coordonnee_x', 'coordonnee_y') then 1.1
                        -- more digits are written than a portal computes
                        else 1e-9 * greatest(abs(old_number), abs(new_number))
                    end
            else
                coalesce({{ normalise_text('old_words') }}, '')
                <> coalesce({{ normalise_text('new_words') }}, '')
        end as is_edited
    from worded

),

edited as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        case
            when old_longitude is not null
                then
                    cast(round(old_longitude, 6) as varchar)
                    || ', '
                    || cast(round(old_latitude, 6) as varchar)
            when old_number is not null
                then {{ replace_pattern('old_text', '[.]0+$', '') }}
            else old_text
        end as old_value,
        case
            when new_longitude is not null
                then
                    cast(round(new_longitude, 6) as varchar)
                    || ', '
                    || cast(round(new_latitude, 6) as varchar)
            when new_number is not null
                then {{ replace_pattern('new_text', '[.]0+$', '') }}
            else new_text
        end as new_value,
        case
            when
                (old_geometry_type is not null and old_longitude is null)
                or (new_geometry_type is not null and new_longitude is null)
                then 1
            when coalesce(old_geometry_type, new_geometry_type) is not null then 3
            when coalesce(old_longitude, new_longitude) is not null then 2
            when field in ('longitude', 'latitude', 'coordonnee_x', 'coordonnee_y') then 4
        end as place_rank
    from compared
    where is_edited

    union all

    select
        dataset,
        record_key,
        run_sequence,
        field,
        old_text as old_value,
        new_text as new_value,
        1 as place_rank
    from outlines

),

-- A record says its place several times over, as a point, as a shape and in numbers, and these move
-- together: the outline speaks for the point that the portal computes from it, the point for all
-- that repeats it.
final as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        old_value,
        new_value
    from edited
    qualify
        row_number() over (
            partition by
                dataset,
                record_key,
                run_sequence,
                case when place_rank is not null then 'its place' else field end
            order by place_rank, field
        ) = 1

)

select * from final
