-- unread_values, is_no_value: rows are the payloads of which something else is said to be lost
{%- set fields = {'a': 'a', 'b': ['b.first', 'b.second']} %}

with

examples as (

    select
        {{ json_from_text("'{\"a\": \"1 234\", \"b\": {\"first\": \"NA\", \"second\": 2}}'") }}
            as payload,
        cast(null as varchar) as expected
    union all
    select
        {{ json_from_text("'{\"a\": \"N.C.\", \"b\": {\"first\": null}}'") }} as payload,
        cast(null as varchar) as expected
    union all
    select
        {{ json_from_text("'{\"a\": \">150\", \"b\": {\"second\": \"ten\"}}'") }} as payload,
        'a: >150; b.second: ten' as expected

),

typed as (

    select
        payload,
        expected,
        {{ json_number('payload', 'a') }} as a,
        coalesce(
            {{ json_number('payload', 'b.first') }}, {{ json_number('payload', 'b.second') }}
        ) as b
    from examples

),

found as (

    select
        expected,
        {{ unread_values('payload', fields) | indent(8) }} as found
    from typed

)

select
    expected,
    found
from found
where found is distinct from expected
