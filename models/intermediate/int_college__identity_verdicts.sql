with

candidates as (

    select * from {{ ref('int_college__identity_candidates') }}

),

records as (

    select * from {{ ref('int_college__records') }}

),

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

identity_uais as (

    select * from {{ ref('int_college__identity_uais') }}

),

decided as (

    select distinct identity_key
    from records
    where is_decided

),

identity_school_years as (

    select distinct
        identity_key,
        school_year_start
    from record_school_years
    where status in ('held', 'partial_school_year')

),

both_ways as (

    select
        identity_key_a as identity_key,
        identity_key_b as other_key,
        rule_rank
    from candidates
    union all
    select
        identity_key_b as identity_key,
        identity_key_a as other_key,
        rule_rank
    from candidates

),

-- the candidates, and any two that are candidates of the same third
compared as (

    select
        identity_key_a as one_key,
        identity_key_b as two_key
    from candidates
    union all
    select
        one.other_key as one_key,
        two.other_key as two_key
    from both_ways as one
    inner join both_ways as two
        on
            one.identity_key = two.identity_key
            and one.other_key < two.other_key

),

side_by_side as (

    select distinct
        compared.one_key,
        compared.two_key
    from compared
    inner join identity_school_years as years_of_one
        on compared.one_key = years_of_one.identity_key
    inner join identity_school_years as years_of_two
        on
            compared.two_key = years_of_two.identity_key
            and years_of_one.school_year_start = years_of_two.school_year_start

),

-- what speaks against two names being one collège
reasons as (

    select distinct
        compared.one_key,
        compared.two_key,
        case
            when decided_one.identity_key is not null and decided_two.identity_key is not null
                then 'told_apart'
            when side_by_side.one_key is not null then 'side_by_side'
            when uai_of_one.uai <> uai_of_two.uai then 'other_uai'
        end as reason
    from compared
    left join side_by_side
        on
            compared.one_key = side_by_side.one_key
            and compared.two_key = side_by_side.two_key
    left join decided as decided_one
        on compared.one_key = decided_one.identity_key
    left join decided as decided_two
        on compared.two_key = decided_two.identity_key
    left join identity_uais as uai_of_one
        on compared.one_key = uai_of_one.identity_key
    left join identity_uais as uai_of_two
        on compared.two_key = uai_of_two.identity_key

),

open_candidates as (

    select
        candidates.*,
        reasons.reason
    from candidates
    inner join reasons
        on
            candidates.identity_key_a = reasons.one_key
            and candidates.identity_key_b = reasons.two_key

),

open_ways as (

    select
        identity_key_a as identity_key,
        identity_key_b as other_key,
        rule_rank
    from open_candidates
    where reason is null
    union all
    select
        identity_key_b as identity_key,
        identity_key_a as other_key,
        rule_rank
    from open_candidates
    where reason is null

),

-- Of two candidates that cannot both be the same collège the stronger rule takes it; where one rule
-- speaks for both, it takes neither.
rivals as (

    select
        least(way.identity_key, way.other_key) as identity_key_a,
        greatest(way.identity_key, way.other_key) as identity_key_b,
        min(rival.rule_rank) as rival_rank
    from open_ways as way
    inner join open_ways as rival
        on
            way.identity_key = rival.identity_key
            and way.other_key <> rival.other_key
    inner join reasons
        on
            least(way.other_key, rival.other_key) = reasons.one_key
            and greatest(way.other_key, rival.other_key) = reasons.two_key
    where reasons.reason is not null
    group by least(way.identity_key, way.other_key), greatest(way.identity_key, way.other_key)

),

final as (

    select
        open_candidates.identity_key_a,
        open_candidates.identity_key_b,
        open_candidates.match_rule,
        open_candidates.rule_rank,
        open_candidates.name_similarity,
        open_candidates.distance_m,
        case
            when open_candidates.reason is not null then open_candidates.reason
            when rivals.rival_rank < open_candidates.rule_rank then 'outranked'
            when rivals.rival_rank = open_candidates.rule_rank then 'contested'
            else 'joined'
        end as verdict
    from open_candidates
    left join rivals
        on
            open_candidates.identity_key_a = rivals.identity_key_a
            and open_candidates.identity_key_b = rivals.identity_key_b

)

select * from final
