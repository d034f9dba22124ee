with

payloads as (

    select * from {{ ref('stg_record_versions') }}

),

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

changed as (

    select
        dataset,
        record_key,
        run_sequence,
        previous_run_sequence
    from versions
    where has_other_content

),

both_sides as (

    select
        dataset,
        record_key,
        run_sequence
    from changed
    union all
    select
        dataset,
        record_key,
        previous_run_sequence as run_sequence
    from changed

),

-- each version once, also one that stands between two changes
needed as (

    select distinct
        dataset,
        record_key,
        run_sequence
    from both_sides

),

needed_payloads as (

    select
        payloads.dataset,
        payloads.record_key,
        payloads.run_sequence,
        payloads.payload
    from payloads
    inner join needed
        on
            payloads.dataset = needed.dataset
            and payloads.record_key = needed.record_key
            and payloads.run_sequence = needed.run_sequence

),

fields as (

    select
        dataset,
        record_key,
        run_sequence,
        field_name as field,
        field_value as json_value,
        field_text as text_value
    from {{ json_fields('needed_payloads', ['dataset', 'record_key', 'run_sequence'], 'payload') }}
    -- the number of the line in the producer's file says nothing of the record
    where field_name <> 'num_ligne'

),

-- A field that only one of the two versions has is drift and no edit, hence the inner join. What is
-- written alike needs no second look; the rest is taken apart below.
written_otherwise as (

    select
        changed.dataset,
        changed.record_key,
        changed.run_sequence,
        later.field,
        earlier.json_value as old_json,
        later.json_value as new_json,
        earlier.text_value as old_text,
        later.text_value as new_text
    from changed
    inner join fields as later
        on
            changed.dataset = later.dataset
            and changed.record_key = later.record_key
            and changed.run_sequence = later.run_sequence
    inner join fields as earlier
        on
            changed.dataset = earlier.dataset
            and changed.record_key = earlier.record_key
            and changed.previous_run_sequence = earlier.run_sequence
            and later.field = earlier.field
    where earlier.text_value is distinct from later.text_value

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        old_text,
        {{ to_number('old_text') }} as old_number,
        coalesce(
            {{ json_number('old_json', 'lon') }},
            {{ json_number('old_json', 'geometry.coordinates[0]') }},
            {{ json_number('old_json', 'coordinates[0]') }}
        ) as old_longitude,
        coalesce(
            {{ json_number('old_json', 'lat') }},
            {{ json_number('old_json', 'geometry.coordinates[1]') }},
            {{ json_number('old_json', 'coordinates[1]') }}
        ) as old_latitude,
        coalesce(
            {{ json_text('old_json', 'geometry.type') }},
            {{ json_text('old_json', 'type') }}
        ) as old_geometry_type,
        coalesce(
            {{ json_text('old_json', 'geometry.coordinates') }},
            {{ json_text('old_json', 'coordinates') }}
        ) as old_coordinates,
        new_text,
        {{ to_number('new_text') }} as new_number,
        coalesce(
            {{ json_number('new_json', 'lon') }},
            {{ json_number('new_json', 'geometry.coordinates[0]') }},
            {{ json_number('new_json', 'coordinates[0]') }}
        ) as new_longitude,
        coalesce(
            {{ json_number('new_json', 'lat') }},
            {{ json_number('new_json', 'geometry.coordinates[1]') }},
            {{ json_number('new_json', 'coordinates[1]') }}
        ) as new_latitude,
        coalesce(
            {{ json_text('new_json', 'geometry.type') }},
            {{ json_text('new_json', 'type') }}
        ) as new_geometry_type,
        coalesce(
            {{ json_text('new_json', 'geometry.coordinates') }},
            {{ json_text('new_json', 'coordinates') }}
        ) as new_coordinates
    from written_otherwise

)

select * from final
