{%- set side_columns = ['dataset', 'record_key', 'run_sequence', 'side'] -%}
{%- set columns = ['dataset', 'record_key', 'run_sequence', 'field', 'old_text', 'new_text'] -%}

with

payloads as (

    select * from {{ ref('stg_record_versions') }}

),

versions as (

    select * from {{ ref('int_portal_edit__versions') }}

),

-- An outline is lists within a list; reading all else for one would cost more than comparing them.
held_payloads as (

    select *
    from {{ both_versions('versions', 'payloads') }}
    where replace(cast(payload as varchar), ' ', '') like '%[[%'

),

shapes as (

    select
        {{ side_columns | join(',\n        ') }},
        field_name as field,
        {{ geojson_part('field_value', 'type') }} as geometry_type,
        {{ geojson_part('field_value', 'coordinates') }} as coordinates
    from {{ json_fields('held_payloads', side_columns, 'payload') }}

),

outlines as (

    select
        {{ side_columns | join(',\n        ') }},
        field,
        {{ outline_text('geometry_type', 'coordinates') | indent(8) }} as outline_text,
        translate(coordinates, '[] ', '') as numbers
    from shapes
    where {{ is_outline('coordinates') }}

),

pairs as (

    select
        later.dataset,
        later.record_key,
        later.run_sequence,
        later.field,
        earlier.outline_text as old_text,
        later.outline_text as new_text,
        earlier.numbers as old_numbers,
        later.numbers as new_numbers
    from outlines as later
    inner join outlines as earlier
        on
            later.dataset = earlier.dataset
            and later.record_key = earlier.record_key
            and later.run_sequence = earlier.run_sequence
            and later.field = earlier.field
    where
        later.side = 'new'
        and earlier.side = 'old'
        and earlier.numbers <> later.numbers

),

-- 0.00001° is 1.1 m of latitude and 0.7 m of longitude. An outline that begins at another of its
-- points has been drawn again.
compared as (

    select * from {{ outlines_differ('pairs', columns, 0.00001) | indent(4) }}

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        field,
        old_text,
        new_text
    from compared
    where is_redrawn

)

select * from final
