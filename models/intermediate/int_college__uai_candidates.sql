{%- set rules = {
    'decision': 1,
    'name_and_insee': 2,
    'former_name_and_insee': 3,
    'name_nearby': 4,
    'similar_name_nearby': 5,
} -%}

with

decided as (

    select * from {{ ref('int_college__uai_by_decision') }}

),

by_name as (

    select * from {{ ref('int_college__uai_by_name') }}

),

by_place as (

    select * from {{ ref('int_college__uai_by_place') }}

),

entries as (

    select * from {{ ref('int_establishment__entries') }}

),

places as (

    select * from {{ ref('int_college__places') }}

),

by_rule as (

    select
        college_id,
        uai,
        uai_match_method,
        cast(1 as double) as name_similarity
    from by_name
    union all
    select
        college_id,
        uai,
        uai_match_method,
        name_similarity
    from by_place

),

-- A person's word about a collège or an entry ends the matter for both.
joined as (

    select
        college_id,
        uai,
        'decision' as uai_match_method,
        cast(1 as double) as name_similarity
    from decided

    union all

    select by_rule.*
    from by_rule
    left join decided as decided_colleges
        on by_rule.college_id = decided_colleges.college_id
    left join decided as decided_entries
        on by_rule.uai = decided_entries.uai
    where decided_colleges.college_id is null and decided_entries.uai is null

),

ranked as (

    select
        *,
        case uai_match_method
            {% for method, rank in rules.items() -%}
            when '{{ method }}' then {{ rank }}
            {% endfor -%}
        end as rule_rank
    from joined
    qualify row_number() over (partition by college_id, uai order by rule_rank) = 1

),

-- from the nearest place the collège ever had: the directory may hold the old one
distances as (

    select
        ranked.college_id,
        ranked.uai,
        min(
            {{ haversine_m(
                'places.longitude', 'places.latitude', 'entries.longitude', 'entries.latitude'
            ) | indent(12) }}
        ) as distance_m
    from ranked
    inner join entries
        on ranked.uai = entries.uai
    inner join places
        on ranked.college_id = places.college_id
    group by ranked.college_id, ranked.uai

),

final as (

    select
        ranked.college_id,
        ranked.uai,
        ranked.rule_rank,
        ranked.uai_match_method,
        ranked.name_similarity,
        distances.distance_m as uai_distance_m,
        entries.is_listed
    from ranked
    inner join entries
        on ranked.uai = entries.uai
    left join distances
        on
            ranked.college_id = distances.college_id
            and ranked.uai = distances.uai

)

select * from final
