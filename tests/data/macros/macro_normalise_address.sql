-- normalise_address: rows are two spellings of one address that do not compare as equal
with

examples as (

    select examples.*
    from (
        values
        ('149 boulevard MacDonald', '149 BD MAC DONALD'),
        ('21 RUE DE SAMBRE-ET-MEUSE', '21 rue de Sambre et Meuse'),
        ('3 rue du Pressoir, 75020 Paris', '3 RUE DU PRESSOIR'),
        ('AV D'' IVRY', 'AVENUE D''IVRY'),
        (null, null)
    ) as examples (spelling_a, spelling_b)

)

select
    spelling_a,
    spelling_b
from examples
where
    {{ normalise_address('spelling_a') }}
    is distinct from {{ normalise_address('spelling_b') }}
