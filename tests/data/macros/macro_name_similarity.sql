-- name_similarity: rows are the pairs whose likeness is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('FRANCOISE SELIGMANN', 'FRANCOISE SELIGMAN', 0.947),
        ('LA ROSE BLANCHE', 'ROSE BLANCHE', 1.0),
        ('ROSE', 'ROSERAIE', 0.5),
        ('PAUL BERT 12', 'PAUL BERT 13', 0.0),
        ('HENRI IV', 'HENRI VI', 0.75),
        ('CURIE MARIE', 'MARIE CURIE', 1.0),
        ('POQUELIN JEAN BAPTISTE', 'JEAN BAPTISTE POQUELIN', 1.0),
        ('G BRASSENS', 'GEORGES BRASSENS', 0.9),
        ('J B POQUELIN', 'JEAN BAPTISTE POQUELIN', 0.9),
        ('LUCIE AUBRAC', 'LUCIE ET RAYMOND AUBRAC', 0.9),
        ('G BRASSENS', 'MARIE BRASSENS', 0.643)
    ) as examples (name_a, name_b, expected)

)

select
    name_a,
    name_b,
    {{ name_similarity('name_a', 'name_b') }} as found
from examples
where
    abs({{ name_similarity('name_a', 'name_b') }} - expected) > 0.001
