-- normalise_address: rows are the pairs of spellings of one address that do not compare as equal
with

cases as (

    select '149 boulevard MacDonald' as one_spelling, '149 BD MAC DONALD' as other_spelling
    union all
    select '21 RUE DE SAMBRE-ET-MEUSE', '21 rue de Sambre et Meuse'
    union all
    select 'AV D'' IVRY', 'AVENUE D''IVRY'
    union all
    select cast(null as varchar), cast(null as varchar)

)

select
    one_spelling,
    other_spelling
from cases
where
    {{ normalise_address('one_spelling') }}
    is distinct from {{ normalise_address('other_spelling') }}
