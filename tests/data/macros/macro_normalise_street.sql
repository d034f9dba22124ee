-- normalise_street: rows are pairs of spellings that it takes for one street and should not, or
-- the other way round
with

examples as (

    select examples.*
    from (
        values
        ('RUE DE L ESSAI', 'r. de l’Essai', true),
        ('RUE LA FAYETTE', 'Rue Lafayette', true),
        ('RUE DE L HOPITAL SAINT LOUIS', 'RUE DE L''HÔPITAL ST LOUIS', true),
        ('BOULEVARD DU GENERAL KOENIG', 'bd gal Kœnig', true),
        ('AVENUE D IVRY', 'AV D'' IVRY', true),
        ('RUE DU FAUBOURG SAINTE ANNE', 'R FBG STE-ANNE', true),
        ('RUE DES SAINTS PERES', 'rue des Saints-Pères', true),
        ('PLACE DE LA BASTILLE', 'Pl. de la Bastille', true),
        ('RUE DE LA SAIDA', 'rue Saïda', true),
        ('RUE DE LA PAIX', 'PLACE DE LA PAIX', false),
        -- R is an initial here
        ('RUE R P CHRISTIAN GILBERT', 'RUE RUE P CHRISTIAN GILBERT', false),
        ('', null, true)
    ) as examples (spelling_a, spelling_b, is_same)

)

select
    spelling_a,
    spelling_b
from examples
where
    (
        {{ normalise_street('spelling_a') }}
        is not distinct from {{ normalise_street('spelling_b') }}
    ) <> is_same
