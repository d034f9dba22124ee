-- json_fields, json_value_text: one row per field, null where it is null or blank; rows are wrong
{% set object -%}
'{"number": 86.5, "text": " A ", "blank": " ", "nothing": null, "inner": {"b": [1]}}'
{%- endset %}

with

payloads as (

    select
        1 as record_number,
        {{ json_from_text(object) }} as payload

),

found as (

    select
        field_name as field,
        field_text as text_value,
        {{ json_text('field_value', 'b') }} as inner_text
    from {{ json_fields('payloads', ['record_number'], 'payload') }}

),

expected as (

    select expected.*
    from (
        values
        ('number', '86.5', null),
        ('text', 'A', null),
        ('blank', null, null),
        ('nothing', null, null),
        ('inner', '{"b":[1]}', '[1]')
    ) as expected (field, text_value, inner_text)

)

select
    coalesce(found.field, expected.field) as field,
    found.text_value,
    found.inner_text
from found
full outer join expected
    on found.field = expected.field
where
    found.field is null
    or expected.field is null
    or coalesce(found.text_value, '') <> coalesce(expected.text_value, '')
    or coalesce(found.inner_text, '') <> coalesce(expected.inner_text, '')
