-- Two names joined into one collège that now stand side by side in a school year: later data speak
-- against what was published. A person decides: two rows in college_identity_decisions, each name
-- its own canonical name, tell them apart.
with

records as (

    select * from {{ ref('int_college__records') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

)

select
    identities.college_id,
    spine.school_year,
    min(records.identity_key) as one_identity_key,
    max(records.identity_key) as other_identity_key
from records
inner join identities
    on records.identity_key = identities.identity_key
inner join spine
    on
        spine.school_year_start
        between records.first_school_year_start and records.last_school_year_start
group by identities.college_id, spine.school_year
having count(distinct records.identity_key) > 1
