-- to_date_or_null: rows are the inputs whose result is not the one expected
with

cases as (

    select '2023' as input, cast('2023-01-01' as date) as expected
    union all
    select '2023-09', cast('2023-09-01' as date)
    union all
    select '2023-09-04', cast('2023-09-04' as date)
    union all
    select '2023-09-04T00:00:00+00:00', cast('2023-09-04' as date)
    union all
    select '2099-12-31', cast('2099-12-31' as date)
    union all
    select 'NS', cast(null as date)

)

select
    input,
    expected,
    {{ to_date_or_null('input') }} as found
from cases
where {{ to_date_or_null('input') }} is distinct from expected
