-- to_number: rows are the texts whose result is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('78.7', 78.7),
        ('86.0', 86),
        ('-1e2', -100),
        ('81,5', 81.5),
        ('NA', null),
        ('NS', null),
        ('NaN', null),
        ('Infinity', null),
        ('', null)
    ) as examples (written, expected)

)

select
    written,
    expected,
    {{ to_number('written') }} as found
from examples
where
    {{ to_number('written') }} is distinct from cast(expected as double)
