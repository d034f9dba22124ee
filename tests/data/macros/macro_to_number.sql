-- to_number: rows are the texts whose result is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('78.7', 78.7),
        ('86.0', 86),
        ('-1e2', -100),
        ('+3', 3),
        ('81,5', 81.5),
        ('1 234', 1234),
        ('1 234,5', 1234.5),
        ('12 345 678', 12345678),
        ('86 90', null),
        ('1 23', null),
        ('1.234,5', null),
        ('118.4*', 118.4),
        ('86 %', 86),
        ('86 % *', 86),
        ('−8', -8),
        ('–8,5', -8.5),
        ('>150', null),
        ('5-10', null),
        ('11.3/20', null),
        ('NA', null),
        ('NS', null),
        ('NaN', null),
        ('Infinity', null),
        ('1_000', null),
        ('0x10', null),
        ('%', null),
        ('', null)
    ) as examples (written, expected)

),

marks as (

    select marks.*
    from (
        values
        ('11.3/20', 11.3),
        ('11,3 / 20', 11.3),
        ('11.3', 11.3),
        ('11.3/200', null),
        ('11.3/10', null)
    ) as marks (written, expected)

),

found as (

    select
        written,
        expected,
        {{ to_number('written') }} as found
    from examples
    union all
    select
        written,
        expected,
        {{ to_number('written', out_of=20) }} as found
    from marks

)

select
    written,
    expected,
    found
from found
where found is distinct from cast(expected as double)
