-- name_similarity: rows are the pairs whose likeness is not the one expected
with

cases as (

    select 'FRANCOISE SELIGMANN' as one, 'FRANCOISE SELIGMAN' as other, 0.947 as expected
    union all
    select 'LA ROSE BLANCHE', 'ROSE BLANCHE', 1.0
    union all
    select 'ROSE', 'ROSERAIE', 0.5
    union all
    select 'PAUL BERT 12', 'PAUL BERT 13', 0.0
    union all
    select 'HENRI IV', 'HENRI VI', 0.75

)

select
    one,
    other,
    {{ name_similarity('one', 'other') }} as found
from cases
where abs({{ name_similarity('one', 'other') }} - expected) > 0.001
