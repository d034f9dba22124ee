with

verdicts as (

    select * from {{ ref('int_college__identity_verdicts') }}

),

name_conflicts as (

    select * from {{ ref('int_college__name_conflicts') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

colleges as (

    select * from {{ ref('dim_college') }}

),

changes as (

    select * from {{ ref('fct_college_change') }}

),

records_not_counted as (

    select * from {{ ref('rpt_college_record_not_counted') }}

),

-- two names of one collège that stand beside each other: a chain of names closed a ring
rings as (

    select
        one.college_id,
        two.college_id as other_college_id
    from verdicts
    inner join identities as one
        on verdicts.identity_key_a = one.identity_key
    inner join identities as two
        on verdicts.identity_key_b = two.identity_key
    where verdicts.verdict = 'side_by_side' and one.college_id = two.college_id

),

-- The portal took back a record that said what the year before said, and the one in its stead has
-- another name and stands elsewhere: the correction of a slip, or a slip itself.
replaced as (

    select
        taken_back.college_id,
        taken_back.school_year,
        renamed.from_value as other_college_name
    from records_not_counted as taken_back
    inner join changes as renamed
        on
            taken_back.college_id = renamed.college_id
            and taken_back.school_year = renamed.school_year
            and taken_back.college_name = renamed.from_value
    inner join changes as relocated
        on
            taken_back.college_id = relocated.college_id
            and taken_back.school_year = relocated.school_year
    where
        taken_back.reason = 'retracted'
        and renamed.change_type = 'renamed'
        and relocated.change_type = 'relocated'

),

pairs as (

    select
        one.college_id,
        two.college_id as other_college_id,
        cast(null as varchar) as school_year,
        verdicts.verdict as conflict_type,
        cast(null as varchar) as other_college_name
    from verdicts
    inner join identities as one
        on verdicts.identity_key_a = one.identity_key
    inner join identities as two
        on verdicts.identity_key_b = two.identity_key
    where verdicts.verdict in ('contested', 'other_uai')

    union all

    select
        college_id,
        other_college_id,
        school_year,
        conflict_type,
        cast(null as varchar) as other_college_name
    from name_conflicts

    union all

    select distinct
        college_id,
        other_college_id,
        cast(null as varchar) as school_year,
        'two_names_side_by_side' as conflict_type,
        cast(null as varchar) as other_college_name
    from rings

    union all

    select
        college_id,
        college_id as other_college_id,
        school_year,
        'replaced_within_year' as conflict_type,
        other_college_name
    from replaced

),

decided as (

    select distinct college_id
    from identities
    where is_decided

),

undecided as (

    select pairs.*
    from pairs
    left join decided as decided_one
        on pairs.college_id = decided_one.college_id
    left join decided as decided_other
        on pairs.other_college_id = decided_other.college_id
    where decided_one.college_id is null or decided_other.college_id is null

),

final as (

    select distinct
        undecided.conflict_type,
        undecided.college_id,
        undecided.other_college_id,
        undecided.school_year,
        one.college_name,
        coalesce(undecided.other_college_name, other.college_name) as other_college_name,
        one.insee_code,
        other.insee_code as other_insee_code
    from undecided
    inner join colleges as one
        on undecided.college_id = one.college_id
    inner join colleges as other
        on undecided.other_college_id = other.college_id

)

select * from final
