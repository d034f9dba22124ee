with

written_otherwise as (

    select * from {{ ref('int_portal_edit__values') }}

),

-- NA, NS and ND are the ministry's words for no value
pairs as (

    select
        *,
        old_coordinates is not null and old_longitude is null as is_old_outline,
        new_coordinates is not null and new_longitude is null as is_new_outline,
        case
            when old_coordinates is not null then old_geometry_type
            when old_text not in ('NA', 'NS', 'ND') then old_text
        end as old_words,
        case
            when new_coordinates is not null then new_geometry_type
            when new_text not in ('NA', 'NS', 'ND') then new_text
        end as new_words
    from written_otherwise

),

outlines as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        'old' as side,
        {{ replace_pattern('old_coordinates', '[^0-9.eE+-]+', ',') }} as numbers
    from pairs
    where is_old_outline
    union all
    select
        dataset,
        record_key,
        run_sequence,
        field,
        'new' as side,
        {{ replace_pattern('new_coordinates', '[^0-9.eE+-]+', ',') }} as numbers
    from pairs
    where is_new_outline

),

-- Every number of every outline, in order; the brackets at both ends leave blank parts.
outline_numbers as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        side,
        part_number,
        {{ to_number('part') }} as number_value
    from {{ split_to_rows(
        'outlines', ['dataset', 'record_key', 'run_sequence', 'field', 'side'], 'numbers'
    ) }}
    where part <> ''

),

number_pairs as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        part_number,
        max(case when side = 'old' then number_value end) as old_number,
        max(case when side = 'new' then number_value end) as new_number
    from outline_numbers
    group by dataset, record_key, run_sequence, field, part_number

),

-- 0.00001° is 1.1 m of latitude and 0.7 m of longitude. An outline that begins at another of its
-- points has been drawn again.
outline_changes as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        cast(floor(count(old_number) / 2) as integer) as old_positions,
        cast(floor(count(new_number) / 2) as integer) as new_positions,
        max(
            case when abs(new_number - old_number) <= 0.00001 then 0 else 1 end
        ) = 1 as is_redrawn
    from number_pairs
    group by dataset, record_key, run_sequence, field

),

compared as (

    select
        pairs.*,
        outline_changes.old_positions,
        outline_changes.new_positions,
        case
            when pairs.is_old_outline and pairs.is_new_outline
                then outline_changes.is_redrawn
            when pairs.old_longitude is not null and pairs.new_longitude is not null
                then
                    {{ haversine_m(
                        'pairs.old_longitude', 'pairs.old_latitude',
                        'pairs.new_longitude', 'pairs.new_latitude', decimals=3
                    ) }} > 1
            when pairs.old_number is not null and pairs.new_number is not null
                then
                    abs(pairs.new_number - pairs.old_number)
                    > case
                        -- about 1.1 m each, so that the point has moved as well
                        when pairs.field = 'longitude' then 0.000015
                        when pairs.field = 'latitude' then 0.00001
                        when pairs.field in ('coordonnee_x', 'coordonnee_y') then 1.1
                        -- more digits are written than a portal computes
                        else 1e-9 * greatest(abs(pairs.old_number), abs(pairs.new_number))
                    end
            else
                coalesce({{ normalise_text('pairs.old_words') }}, '')
                <> coalesce({{ normalise_text('pairs.new_words') }}, '')
        end as is_edited
    from pairs
    left join outline_changes
        on
            pairs.dataset = outline_changes.dataset
            and pairs.record_key = outline_changes.record_key
            and pairs.run_sequence = outline_changes.run_sequence
            and pairs.field = outline_changes.field

),

-- A record says its place several times over, as a point, as a shape and in numbers, and these move
-- together: the outline speaks for the point that the portal computes from it, the point for all
-- that repeats it.
one_place as (

    select *
    from compared
    where is_edited
    qualify
        row_number() over (
            partition by
                dataset,
                record_key,
                run_sequence,
                case
                    when
                        coalesce(old_longitude, new_longitude) is not null
                        or coalesce(old_coordinates, new_coordinates) is not null
                        or field in ('longitude', 'latitude', 'coordonnee_x', 'coordonnee_y')
                        then 'its place'
                    else field
                end
            order by
                case
                    when is_old_outline or is_new_outline then 1
                    when coalesce(old_coordinates, new_coordinates) is not null then 3
                    when coalesce(old_longitude, new_longitude) is not null then 2
                    else 4
                end,
                field
        ) = 1

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        case
            when is_old_outline
                then
                    old_geometry_type
                    || ', '
                    || cast(old_positions as varchar)
                    || ' positions'
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
            when is_new_outline
                then
                    new_geometry_type
                    || ', '
                    || cast(new_positions as varchar)
                    || ' positions'
            when new_longitude is not null
                then
                    cast(round(new_longitude, 6) as varchar)
                    || ', '
                    || cast(round(new_latitude, 6) as varchar)
            when new_number is not null
                then {{ replace_pattern('new_text', '[.]0+$', '') }}
            else new_text
        end as new_value
    from one_place

)

select * from final
