-- normalise_text: rows are the texts whose result is not the one expected
with

examples as (

    select examples.*
    from (
        values
        ('École  Saint-Exupéry ', 'ECOLE SAINT EXUPERY'),
        ('L''ŒUVRE D’ART', 'L OEUVRE D ART'),
        ('D'' IVRY', 'D IVRY'),
        ('D''IVRY', 'D IVRY'),
        ('LA ROSE BLANCHE', 'LA ROSE BLANCHE'),
        ('LYCE{{ "\u0301" }}E', 'LYCEE'),
        ('--', null),
        (null, null)
    ) as examples (written, expected)

)

select
    written,
    expected,
    {{ normalise_text('written') }} as found
from examples
where
    {{ normalise_text('written') }} is distinct from expected
