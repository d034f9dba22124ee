{%- set side_columns = ['dataset', 'record_key', 'run_sequence', 'side', 'held_key'] -%}

with

payloads as (

    select * from {{ ref('stg_record_versions') }}

),

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

-- Both versions under the key and run of the later one, so that they meet on all of it.
sides as (

    select
        dataset,
        record_key,
        run_sequence,
        'new' as side,
        record_key as held_key,
        run_sequence as held_run
    from versions
    where has_other_content

    union all

    select
        dataset,
        record_key,
        run_sequence,
        'old' as side,
        previous_record_key as held_key,
        previous_run_sequence as held_run
    from versions
    where has_other_content

),

held_payloads as (

    select
        sides.dataset,
        sides.record_key,
        sides.run_sequence,
        sides.side,
        sides.held_key,
        payloads.payload
    from sides
    inner join payloads
        on
            sides.dataset = payloads.dataset
            and sides.held_key = payloads.record_key
            and sides.held_run = payloads.run_sequence

),

fields as (

    select
        {{ side_columns | join(',\n        ') }},
        field_name as field,
        field_text as text_value,
        coalesce(
            {{ json_number('field_value', 'lon') }},
            {{ json_number('field_value', 'geometry.coordinates[0]') }},
            {{ json_number('field_value', 'coordinates[0]') }}
        ) as longitude_value,
        coalesce(
            {{ json_number('field_value', 'lat') }},
            {{ json_number('field_value', 'geometry.coordinates[1]') }},
            {{ json_number('field_value', 'coordinates[1]') }}
        ) as latitude_value,
        coalesce(
            {{ json_text('field_value', 'geometry.type') }},
            {{ json_text('field_value', 'type') }}
        ) as geometry_type_value,
        coalesce(
            {{ json_text('field_value', 'geometry.coordinates') }},
            {{ json_text('field_value', 'coordinates') }}
        ) as coordinates
    from {{ json_fields('held_payloads', side_columns, 'payload') }}
    -- the number of the line in the producer's file says nothing of the record
    where field_name <> 'num_ligne'

),

-- An outline is named here by its type and its number of positions: between its numbers stand as
-- many commas, less one. Where both versions have one, int_portal_edit__outlines compares them.
apart as (

    select
        {{ side_columns | join(',\n        ') }},
        field,
        case
            when coordinates is null or {{ first_match('coordinates', '^[[] *[-0-9]') }} is not null
                then text_value
            else {{ outline_text('geometry_type_value', 'coordinates') | indent(16) }}
        end as text_value,
        case when coordinates is null then {{ to_number('text_value') | indent(12) }} end
            as number_value,
        longitude_value,
        latitude_value,
        geometry_type_value,
        coordinates is not null
        and {{ first_match('coordinates', '^[[] *[-0-9]') }} is null as is_outline
    from fields

),

-- A field that only one of the two versions has is drift and no edit, hence the inner join. What is
-- written alike needs no second look, nor does the spelling of the key.
final as (

    select
        later.dataset,
        later.record_key,
        later.run_sequence,
        later.field,
        earlier.text_value as old_text,
        earlier.number_value as old_number,
        earlier.longitude_value as old_longitude,
        earlier.latitude_value as old_latitude,
        earlier.geometry_type_value as old_geometry_type,
        later.text_value as new_text,
        later.number_value as new_number,
        later.longitude_value as new_longitude,
        later.latitude_value as new_latitude,
        later.geometry_type_value as new_geometry_type
    from apart as later
    inner join apart as earlier
        on
            later.dataset = earlier.dataset
            and later.record_key = earlier.record_key
            and later.run_sequence = earlier.run_sequence
            and later.field = earlier.field
    where
        later.side = 'new'
        and earlier.side = 'old'
        and earlier.text_value is distinct from later.text_value
        and not (earlier.is_outline and later.is_outline)
        and not (
            later.held_key <> earlier.held_key
            and coalesce(contains(later.held_key, '"' || later.text_value || '"'), false)
            and coalesce(contains(earlier.held_key, '"' || earlier.text_value || '"'), false)
        )

)

select * from final
