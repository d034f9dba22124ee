{#- Each round joins the clusters that are each other's best candidate; clusters of up to 2^rounds
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
    qualify row_number() over (
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
        other.seniority as seniority_b,
        candidates.decided_run_sequence,
        row_number() over (
            order by
                candidates.decided_run_sequence,
                candidates.rule,
                candidates.name_similarity desc,
                candidates.distance_m,
                candidates.identity_key_a,
                candidates.identity_key_b
        ) as preference
    from candidates
    inner join ranked as one
        on candidates.identity_key_a = one.identity_key
    inner join ranked as other
        on candidates.identity_key_b = other.identity_key

),

-- cluster: the seniority of its most senior member
clusters_0 as (

    select
        seniority,
        seniority as cluster,
        is_decided
    from ranked

),

{% for round in range(1, rounds + 1) -%}
{% set before = 'clusters_' ~ (round - 1) -%}
cluster_years_{{ round }} as (

    select
        {{ before }}.cluster,
        held_years.school_year_start,
        min(held_years.known_from_run_sequence) as known_from_run_sequence
    from held_years
    inner join {{ before }}
        on held_years.seniority = {{ before }}.seniority
    group by {{ before }}.cluster, held_years.school_year_start

),

cluster_decisions_{{ round }} as (

    select
        cluster,
        count(distinct case when is_decided then seniority end) as decided_members
    from {{ before }}
    group by cluster

),

open_edges_{{ round }} as (

    select
        edges.preference,
        edges.decided_run_sequence,
        least(one.cluster, other.cluster) as senior_cluster,
        greatest(one.cluster, other.cluster) as junior_cluster
    from edges
    inner join {{ before }} as one
        on edges.seniority_a = one.seniority
    inner join {{ before }} as other
        on edges.seniority_b = other.seniority
    inner join cluster_decisions_{{ round }} as decisions_one
        on one.cluster = decisions_one.cluster
    inner join cluster_decisions_{{ round }} as decisions_other
        on other.cluster = decisions_other.cluster
    where
        one.cluster <> other.cluster
        and decisions_one.decided_members + decisions_other.decided_members < 2

),

-- two names side by side in one school year are two collèges
overlapping_edges_{{ round }} as (

    select distinct open_edges.preference
    from open_edges_{{ round }} as open_edges
    inner join cluster_years_{{ round }} as senior_years
        on open_edges.senior_cluster = senior_years.cluster
    inner join cluster_years_{{ round }} as junior_years
        on
            open_edges.junior_cluster = junior_years.cluster
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

best_edges_{{ round }} as (

    select
        cluster,
        min(preference) as preference
    from (
        select senior_cluster as cluster, preference from possible_edges_{{ round }}
        union all
        select junior_cluster as cluster, preference from possible_edges_{{ round }}
    ) as ends
    group by cluster

),

mergers_{{ round }} as (

    select
        possible_edges.senior_cluster,
        possible_edges.junior_cluster
    from possible_edges_{{ round }} as possible_edges
    inner join best_edges_{{ round }} as best_of_senior
        on
            possible_edges.senior_cluster = best_of_senior.cluster
            and possible_edges.preference = best_of_senior.preference
    inner join best_edges_{{ round }} as best_of_junior
        on
            possible_edges.junior_cluster = best_of_junior.cluster
            and possible_edges.preference = best_of_junior.preference

),

clusters_{{ round }} as (

    select
        {{ before }}.seniority,
        coalesce(mergers.senior_cluster, {{ before }}.cluster) as cluster,
        {{ before }}.is_decided
    from {{ before }}
    left join mergers_{{ round }} as mergers
        on {{ before }}.cluster = mergers.junior_cluster

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
        on clusters.cluster = leaders.seniority

)

select * from final
