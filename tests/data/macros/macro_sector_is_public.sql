-- sector_is_public: rows are the words whose result is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('Public', true),
        ('public', true),
        ('PU', true),
        ('Privé', false),
        ('privé sous contrat', false),
        ('PR', false),
        ('drift', null),
        ('12.5', null),
        (null, null)
    ) as examples (word, expected)

)

select
    word,
    expected,
    {{ sector_is_public('word') }} as found
from examples
where
    {{ sector_is_public('word') }} is distinct from cast(expected as boolean)
