{%- set side_columns = ['dataset', 'record_key', 'run_sequence', 'side', 'held_key'] -%}

with

payloads as (

    select * from {{ ref('stg_record_versions') }}

),

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

held_payloads as (

    select * from {{ both_versions('versions', 'payloads') }}

),

-- The number of the line in the producer's file says nothing of the record. Most values are the
-- same on both sides: what they mean is looked at further down, of those that differ.
fields as (

    select
        {{ side_columns | join(',\n        ') }},
        field_name as field,
        field_text as text_value,
        case
            when left(field_text, 1) = '{' then {{ geojson_part('field_value', 'type') }}
        end as geometry_type,
        case
            when left(field_text, 1) = '{' then {{ geojson_part('field_value', 'coordinates') }}
        end as coordinates
    from {{ json_fields('held_payloads', side_columns, 'payload') }}
    where field_name <> 'num_ligne'

),

-- An outline is named here by its type and its number of positions. Where both versions have one,
-- int_portal_edit__outlines compares them.
apart as (

    select
        {{ side_columns | join(',\n        ') }},
        field,
        case
            when {{ is_outline('coordinates') | indent(12) }}
                then {{ outline_text('geometry_type', 'coordinates') | indent(16) }}
            else text_value
        end as text_value,
        geometry_type,
        {{ is_outline('coordinates') | indent(4) }} as is_outline
    from fields

),

-- A field that only one of the two versions has is drift and no edit, hence the inner join. What is
-- written alike needs no second look, nor does the spelling of the key.
pairs as (

    select
        later.dataset,
        later.record_key,
        later.run_sequence,
        later.field,
        earlier.text_value as old_text,
        earlier.geometry_type as old_geometry_type,
        case
            when left(earlier.text_value, 1) = '{' then {{ json_or_null('earlier.text_value') }}
        end as old_place,
        later.text_value as new_text,
        later.geometry_type as new_geometry_type,
        case
            when left(later.text_value, 1) = '{' then {{ json_or_null('later.text_value') }}
        end as new_place
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

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        old_text,
        {{ to_number('old_text') }} as old_number,
        {{ place_longitude('old_place') }} as old_longitude,
        {{ place_latitude('old_place') }} as old_latitude,
        old_geometry_type,
        new_text,
        {{ to_number('new_text') }} as new_number,
        {{ place_longitude('new_place') }} as new_longitude,
        {{ place_latitude('new_place') }} as new_latitude,
        new_geometry_type
    from pairs

)

select * from final
