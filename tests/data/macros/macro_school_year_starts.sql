-- school_year_first_start, school_year_last_start: rows are the labels read wrongly
with

examples as (

    select examples.*
    from (
        values
        ('2020-2021', 2020, 2020),
        ('2020/2021', 2020, 2020),
        ('2020 – 2021', 2020, 2020),
        ('20202021', 2020, 2020),
        ('2020/21', 2020, 2020),
        ('1999-00', 1999, 1999),
        ('Rentrée 2020', 2020, 2020),
        ('année scolaire 2020 / 2021', 2020, 2020),
        ('2017/2018 - 2018/2019', 2017, 2018),
        -- what could be read in two ways, or says more than a school year
        ('2020', null, null),
        ('25-26', null, null),
        ('2020-2031', null, null),
        ('2020-2022', null, null),
        ('2021-2020', null, null),
        ('2020-22', null, null),
        ('2017-2018 / 2019-2020', null, null),
        ('2017-2018 - 2027-2028', null, null),
        ('2025-2026 (maj 2027)', null, null),
        ('2025-2026 (maj 2025-2026)', null, null),
        ('inconnue', null, null)
    ) as examples (label, first_start, last_start)

)

select
    label,
    {{ school_year_first_start('label') }} as found_first,
    {{ school_year_last_start('label') }} as found_last
from examples
where
    {{ school_year_first_start('label') }} is distinct from first_start
    or {{ school_year_last_start('label') }} is distinct from last_start
