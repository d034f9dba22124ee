-- split_to_rows: one row per part, in order, blank ones too; rows are wrong
with

texts as (

    select
        'a' as text_name,
        '1,22,,3' as parts
    union all
    select
        'b' as text_name,
        '4' as parts
    union all
    select
        'c' as text_name,
        cast(null as varchar) as parts

),

found as (

    select
        text_name,
        part_number,
        part
    from {{ split_to_rows('texts', ['text_name'], 'parts') }}

),

expected as (

    select expected.*
    from (
        values
        ('a', 1, '1'),
        ('a', 2, '22'),
        ('a', 3, ''),
        ('a', 4, '3'),
        ('b', 1, '4')
    ) as expected (text_name, part_number, part)

)

select
    coalesce(found.text_name, expected.text_name) as text_name,
    coalesce(found.part_number, expected.part_number) as part_number,
    found.part
from found
full outer join expected
    on
        found.text_name = expected.text_name
        and found.part_number = expected.part_number
where
    found.part is null
    or expected.part is null
    or found.part <> expected.part
