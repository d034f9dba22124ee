-- exam_session, rentree_start: rows are the texts whose year is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('2023', 2023, 2023),
        ('2023-07-01', 2023, 2023),
        ('2023-07-01T00:00:00+00:00', 2023, 2023),
        ('01/07/2023', 2023, 2023),
        ('session 2023', 2023, 2023),
        ('2022-2023', null, 2022),
        ('2203', null, null),
        ('2025', null, null),
        ('23', null, null),
        ('juin', null, null),
        (cast(null as varchar), null, null)
    ) as examples (written, expected_session, expected_rentree)

),

found as (

    select
        *,
        cast('2024-11-20 05:00:00' as timestamp) as extracted_at
    from examples

)

select
    written,
    expected_session,
    {{ exam_session('written', 'extracted_at') }} as found_session,
    expected_rentree,
    {{ rentree_start('written', 'extracted_at') }} as found_rentree
from found
where
    {{ exam_session('written', 'extracted_at') }} is distinct from expected_session
    or {{ rentree_start('written', 'extracted_at') }} is distinct from expected_rentree
