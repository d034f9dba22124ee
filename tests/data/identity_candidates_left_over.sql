-- Candidates that could still be joined: int_college__identities needs more rounds.
with

candidates as (

    select * from {{ ref('int_college__identity_candidates') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

decided as (

    select distinct college_id
    from identities
    where is_decided

)

select
    candidates.identity_key_a,
    candidates.identity_key_b
from candidates
inner join identities as one
    on candidates.identity_key_a = one.identity_key
inner join identities as two
    on candidates.identity_key_b = two.identity_key
where
    one.college_id <> two.college_id
    and not (
        one.college_id in (select decided.college_id from decided)
        and two.college_id in (select decided.college_id from decided)
    )
    and not exists (
        select 1
        from school_years as years_of_one
        inner join school_years as years_of_two
            on years_of_one.school_year_start = years_of_two.school_year_start
        where
            years_of_one.college_id = one.college_id
            and years_of_two.college_id = two.college_id
    )
