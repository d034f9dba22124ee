{#- Each round hands the most senior name of a collège one name further. A singular test fails if a
    chain is longer. -#}
{% set rounds = 4 %}

with

records as (

    select * from {{ ref('int_college__records') }}

),

verdicts as (

    select * from {{ ref('int_college__identity_verdicts') }}

),

first_seen as (

    select
        identity_key,
        is_decided,
        first_run_sequence,
        first_school_year_start
    from records
    qualify
        row_number() over (
            partition by identity_key
            order by first_run_sequence, first_school_year_start, record_key
        ) = 1

),

-- The name that was loaded first gives the id, so that what comes later changes no published id.
ranked as (

    select
        identity_key,
        is_decided,
        row_number() over (
            order by first_run_sequence, first_school_year_start, identity_key
        ) as seniority
    from first_seen

),

joined as (

    select
        one.seniority,
        two.seniority as other_seniority
    from verdicts
    inner join ranked as one
        on verdicts.identity_key_a = one.identity_key
    inner join ranked as two
        on verdicts.identity_key_b = two.identity_key
    where verdicts.verdict = 'joined'

),

both_ways as (

    select
        seniority,
        other_seniority
    from joined
    union all
    select
        other_seniority as seniority,
        seniority as other_seniority
    from joined

),

-- leader: the seniority of the most senior name of the collège
leaders_0 as (

    select
        seniority,
        seniority as leader
    from ranked

),

{% for round in range(1, rounds + 1) -%}
{% set before = 'leaders_' ~ (round - 1) -%}
leaders_{{ round }} as (

    select
        {{ before }}.seniority,
        least(
            min({{ before }}.leader), coalesce(min(joined_names.leader), min({{ before }}.leader))
        ) as leader
    from {{ before }}
    left join both_ways
        on {{ before }}.seniority = both_ways.seniority
    left join {{ before }} as joined_names
        on both_ways.other_seniority = joined_names.seniority
    group by {{ before }}.seniority

),

{% endfor -%}
final as (

    select
        ranked.identity_key,
        {{ college_id('seniors.identity_key') }} as college_id,
        {{ college_id('ranked.identity_key') }} as own_college_id,
        ranked.is_decided
    from ranked
    inner join leaders_{{ rounds }} as leaders
        on ranked.seniority = leaders.seniority
    inner join ranked as seniors
        on leaders.leader = seniors.seniority

)

select * from final
