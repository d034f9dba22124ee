-- Names judged to be one collège that have different ids: int_college__identities needs more
-- rounds.
with

verdicts as (

    select * from {{ ref('int_college__identity_verdicts') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

)

select
    verdicts.identity_key_a,
    verdicts.identity_key_b
from verdicts
inner join identities as one
    on verdicts.identity_key_a = one.identity_key
inner join identities as two
    on verdicts.identity_key_b = two.identity_key
where verdicts.verdict = 'joined' and one.college_id <> two.college_id
