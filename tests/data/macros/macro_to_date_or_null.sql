-- to_date_or_null: rows are the texts whose result is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('2023', '2023-01-01'),
        ('2023-09', '2023-09-01'),
        ('2023-09-04', '2023-09-04'),
        ('2023-09-04T00:00:00+00:00', '2023-09-04'),
        ('2099-12-31', '2099-12-31'),
        ('NS', null)
    ) as examples (written, expected)

)

select
    written,
    expected,
    {{ to_date_or_null('written') }} as found
from examples
where
    {{ to_date_or_null('written') }} is distinct from cast(expected as date)
