{#- Each round joins the clusters that are each two's best candidate; clusters of up to 2^rounds
    names. A singular test fails if a candidate is left over. -#}
{% set rounds = 3 %}

with

records as (

    select * from {{ ref('int_college__records') }}

),

candidates as (

    select * from {{ ref('int_college__identity_candidates') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

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

-- Whoever was seen first gives the id. What comes later ranks behind and moves nobody.
ranked as (

    select
        identity_key,
        is_decided,
        row_number() over (
            order by first_run_sequence, first_school_year_start, identity_key
        ) as seniority
    from first_seen

),

held_years as (

    select
        ranked.seniority,
        spine.school_year_start,
        min(records.first_run_sequence) as known_from_run_sequence
    from records
    inner join spine
        on
            spine.school_year_start
            between records.first_school_year_start and records.last_school_year_start
    inner join ranked
        on records.identity_key = ranked.identity_key
    group by ranked.seniority, spine.school_year_start

),

-- The order in which candidates are taken. The run in which a candidate came up goes first, so
-- that what was decided on the data of then is decided the same way on more data.
edges as (

    select
        one.seniority as seniority_a,
        two.seniority as seniority_b,
        candidates.decided_run_sequence,
        row_number() over (
            order by
                candidates.decided_run_sequence asc,
                candidates.match_rule asc,
                candidates.name_similarity desc,
                candidates.distance_m asc,
                candidates.identity_key_a asc,
                candidates.identity_key_b asc
        ) as preference
    from candidates
    inner join ranked as one
        on candidates.identity_key_a = one.identity_key
    inner join ranked as two
        on candidates.identity_key_b = two.identity_key

),

-- leader: the seniority of the most senior member of a cluster
clusters_0 as (

    select
        seniority,
        seniority as leader,
        is_decided
    from ranked

),

{% for round in range(1, rounds + 1) -%}
{% set before = 'clusters_' ~ (round - 1) -%}
cluster_years_{{ round }} as (

    select
        {{ before }}.leader,
        held_years.school_year_start,
        min(held_years.known_from_run_sequence) as known_from_run_sequence
    from held_years
    inner join {{ before }}
        on held_years.seniority = {{ before }}.seniority
    group by {{ before }}.leader, held_years.school_year_start

),

cluster_decisions_{{ round }} as (

    select
        leader,
        count(distinct case when is_decided then seniority end) as decided_members
    from {{ before }}
    group by leader

),

open_edges_{{ round }} as (

    select
        edges.preference,
        edges.decided_run_sequence,
        least(one.leader, two.leader) as senior_leader,
        greatest(one.leader, two.leader) as junior_leader
    from edges
    inner join {{ before }} as one
        on edges.seniority_a = one.seniority
    inner join {{ before }} as two
        on edges.seniority_b = two.seniority
    inner join cluster_decisions_{{ round }} as decisions_one
        on one.leader = decisions_one.leader
    inner join cluster_decisions_{{ round }} as decisions_two
        on two.leader = decisions_two.leader
    where
        one.leader <> two.leader
        and decisions_one.decided_members + decisions_two.decided_members < 2

),

-- two names side by side in one school year are two collèges
overlapping_edges_{{ round }} as (

    select distinct open_edges.preference
    from open_edges_{{ round }} as open_edges
    inner join cluster_years_{{ round }} as senior_years
        on open_edges.senior_leader = senior_years.leader
    inner join cluster_years_{{ round }} as junior_years
        on
            open_edges.junior_leader = junior_years.leader
            and senior_years.school_year_start = junior_years.school_year_start
    where
        greatest(senior_years.known_from_run_sequence, junior_years.known_from_run_sequence)
        <= open_edges.decided_run_sequence

),

possible_edges_{{ round }} as (

    select open_edges.*
    from open_edges_{{ round }} as open_edges
    left join overlapping_edges_{{ round }} as overlapping_edges
        on open_edges.preference = overlapping_edges.preference
    where overlapping_edges.preference is null

),

edge_ends_{{ round }} as (

    select
        senior_leader as leader,
        preference
    from possible_edges_{{ round }}
    union all
    select
        junior_leader as leader,
        preference
    from possible_edges_{{ round }}

),

best_edges_{{ round }} as (

    select
        leader,
        min(preference) as preference
    from edge_ends_{{ round }}
    group by leader

),

mergers_{{ round }} as (

    select
        possible_edges.senior_leader,
        possible_edges.junior_leader
    from possible_edges_{{ round }} as possible_edges
    inner join best_edges_{{ round }} as best_of_senior
        on
            possible_edges.senior_leader = best_of_senior.leader
            and possible_edges.preference = best_of_senior.preference
    inner join best_edges_{{ round }} as best_of_junior
        on
            possible_edges.junior_leader = best_of_junior.leader
            and possible_edges.preference = best_of_junior.preference

),

clusters_{{ round }} as (

    select
        {{ before }}.seniority,
        coalesce(mergers.senior_leader, {{ before }}.leader) as leader,
        {{ before }}.is_decided
    from {{ before }}
    left join mergers_{{ round }} as mergers
        on {{ before }}.leader = mergers.junior_leader

),

{% endfor -%}
final as (

    select
        ranked.identity_key,
        {{ college_id('leaders.identity_key') }} as college_id,
        {{ college_id('ranked.identity_key') }} as own_college_id,
        ranked.is_decided
    from ranked
    inner join clusters_{{ rounds }} as clusters
        on ranked.seniority = clusters.seniority
    inner join ranked as leaders
        on clusters.leader = leaders.seniority

)

select * from final
