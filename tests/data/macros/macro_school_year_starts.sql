-- school_year_first_start, school_year_last_start: rows are the labels read wrongly
with

examples as (

    select examples.*
    from (
        values
        ('2020-2021', 2020, 2020),
        ('2020/2021', 2020, 2020),
        ('2017/2018 - 2018/2019', 2017, 2018),
        ('2017-2018 / 2019-2020', 2017, 2019),
        ('2020/21', 2020, 2020),
        ('Rentrée 2020', 2020, 2020),
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
