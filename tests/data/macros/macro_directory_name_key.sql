-- directory_name_key: rows are two spellings of one name that do not compare as equal
with

examples as (

    select examples.*
    from (
        values
        ('COLLEGE CLAUDE BERNARD', 'CLAUDE BERNARD'),
        ('CLG CLAUDE BERNARD', 'COLLEGE PUBLIC CLAUDE BERNARD'),
        ('CLAUDE BERNARD COLLEGE', 'CLAUDE BERNARD'),
        ('ST LOUIS IX', 'SAINT LOUIS 9'),
        ('COLLEGE', 'COLLEGE'),
        (null, null)
    ) as examples (spelling_a, spelling_b)

)

select
    spelling_a,
    spelling_b
from examples
where
    {{ directory_name_key('spelling_a') }}
    is distinct from {{ directory_name_key('spelling_b') }}
    or {{ directory_name_key('spelling_a') }} = ''
