-- to_number: rows are the inputs whose result is not the one expected
with

cases as (

    select '78.7' as input, cast(78.7 as double) as expected
    union all
    select '86.0', cast(86 as double)
    union all
    select '-1e2', cast(-100 as double)
    union all
    select '81,5', cast(81.5 as double)
    union all
    select 'NA', cast(null as double)
    union all
    select 'NS', cast(null as double)
    union all
    select 'NaN', cast(null as double)
    union all
    select 'Infinity', cast(null as double)
    union all
    select '', cast(null as double)

)

select
    input,
    expected,
    {{ to_number('input') }} as found
from cases
where {{ to_number('input') }} is distinct from expected
