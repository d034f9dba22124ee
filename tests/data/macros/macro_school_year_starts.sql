-- school_year_first_start, school_year_last_start: rows are the labels read wrongly
with

cases as (

    select '2020-2021' as label, 2020 as first_start, 2020 as last_start
    union all
    select '2020/2021', 2020, 2020
    union all
    select '2017/2018 - 2018/2019', 2017, 2018
    union all
    select '2017-2018 / 2019-2020', 2017, 2019
    union all
    select '2020/21', 2020, 2020
    union all
    select 'Rentrée 2020', 2020, 2020
    union all
    select 'inconnue', cast(null as integer), cast(null as integer)

)

select
    label,
    {{ school_year_first_start('label') }} as found_first,
    {{ school_year_last_start('label') }} as found_last
from cases
where
    {{ school_year_first_start('label') }} is distinct from first_start
    or {{ school_year_last_start('label') }} is distinct from last_start
