-- address_number, address_street: rows are addresses that are not read as expected
with

examples as (

    select examples.*
    from (
        values
        ('12 rue Clovis', 12, 'RUE CLOVIS'),
        ('105 bis RUE DE L''OURCQ (ECOLE B)', 105, 'RUE DE L OURCQ'),
        ('119 AVENUE SIMON BOLIVAR (EC.B', 119, 'AVENUE SIMON BOLIVAR'),
        ('3-5 rue X', 3, 'RUE X'),
        ('17B BD NEY', 17, 'BD NEY'),
        ('RUE DU 8 MAI', null, 'RUE DU 8 MAI'),
        ('12 D''ALESIA', 12, 'D ALESIA'),
        ('12, rue Clovis, 75005 Paris', 12, 'RUE CLOVIS'),
        ('12 RUE CLOVIS 75005 PARIS CEDEX 05', 12, 'RUE CLOVIS'),
        ('12, rue Clovis, Paris', 12, 'RUE CLOVIS'),
        ('12, RUE CLOVIS, PARIS 5E', 12, 'RUE CLOVIS'),
        ('rue Clovis, 12', 12, 'RUE CLOVIS'),
        ('N° 12 rue Clovis', 12, 'RUE CLOVIS'),
        ('3 RUE DE PARIS', 3, 'RUE DE PARIS'),
        ('Non renseignée', null, null),
        ('Adresse non renseignée', null, null),
        ('N.C.', null, null),
        (null, null, null)
    ) as examples (address, house_number, street)

)

select address
from examples
where
    {{ address_number('address') }} is distinct from house_number
    or {{ address_street('address') }} is distinct from street
