{% set same_name_within_m = 1000 %}
{% set similar_name_within_m = 300 %}
{% set similar_from = 0.8 %}
{#- A cell is at least as wide and high as the larger distance everywhere south of 60° N, so that
    whoever is within it stands in the same or a neighbouring cell. -#}
{% set cell_height_degrees = same_name_within_m / 111000 %}
{% set cell_width_degrees = cell_height_degrees * 2 %}

with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

decisions as (

    select * from {{ ref('uai_decisions') }}

),

-- The one way into the candidates. Private schools stay out whatever their name; a section for
-- pupils in difficulty (SEGPA) has a UAI of its own under the name of its collège.
directory as (

    select
        uai,
        insee_code,
        longitude,
        latitude,
        {{ normalise_name('patronym') }} as patronym_key,
        {{ normalise_name('official_name') }} as official_name_key,
        not is_withdrawn and coalesce(status_code, '1') = '1' as is_listed
    from establishments
    where
        is_public
        and coalesce(nature_code, '') <> '390'
        and coalesce({{ normalise_name('denomination') }}, '') not like 'SEGPA%'
        and coalesce({{ normalise_name('denomination') }}, '') not like 'SECTION%'

),

-- The ministry's results keep names that its directory no longer has.
spellings as (

    select
        uai,
        {{ directory_name_key('patronym_key') }} as spelling,
        1 as is_current
    from directory
    union all
    select
        uai,
        {{ directory_name_key('official_name_key') }} as spelling,
        1 as is_current
    from directory
    {% for results in ['ivac', 'ips_ap2022', 'ips_ap2023'] -%}
    union all
    select
        uai,
        {{ directory_name_key(normalise_name('establishment_name')) }} as spelling,
        0 as is_current
    from {{ results }}
    {% endfor %}

),

directory_names as (

    select
        directory.uai,
        directory.insee_code,
        spellings.spelling,
        max(spellings.is_current) as is_current
    from spellings
    inner join directory
        on spellings.uai = directory.uai
    where spellings.spelling is not null
    group by directory.uai, directory.insee_code, spellings.spelling

),

latest_years as (

    select
        college_id,
        max(school_year_start) as school_year_start
    from school_years
    group by college_id

),

college_spellings as (

    select
        school_years.college_id,
        school_years.insee_code,
        {{ directory_name_key('school_years.name_key') }} as spelling,
        case
            when school_years.school_year_start = latest_years.school_year_start then 1
            else 0
        end as is_current
    from school_years
    inner join latest_years
        on school_years.college_id = latest_years.college_id

),

college_names as (

    select
        college_id,
        insee_code,
        spelling,
        max(is_current) as is_current
    from college_spellings
    group by college_id, insee_code, spelling

),

-- to the metre, so that a collège that did not move stands here once
places as (

    select distinct
        college_id,
        round(longitude, 5) as longitude,
        round(latitude, 5) as latitude,
        cast(floor(longitude / {{ cell_width_degrees }}) as integer) as cell_x,
        cast(floor(latitude / {{ cell_height_degrees }}) as integer) as cell_y
    from school_years
    where longitude is not null and latitude is not null

),

neighbour_steps as (

    {% for x in [-1, 0, 1] -%}
    {% set outer_loop = loop -%}
    {% for y in [-1, 0, 1] -%}
    select {{ x }} as step_x, {{ y }} as step_y
    {{- ' union all' if not (loop.last and outer_loop.last) }}
    {% endfor -%}
    {% endfor %}
),

seen_from_neighbours as (

    select
        directory.uai,
        directory.longitude,
        directory.latitude,
        cast(floor(directory.longitude / {{ cell_width_degrees }}) as integer)
        + neighbour_steps.step_x as cell_x,
        cast(floor(directory.latitude / {{ cell_height_degrees }}) as integer)
        + neighbour_steps.step_y as cell_y
    from directory
    cross join neighbour_steps
    where directory.longitude is not null and directory.latitude is not null

),

near as (

    select
        places.college_id,
        seen_from_neighbours.uai,
        min(
            {{ haversine_m(
                'places.longitude', 'places.latitude',
                'seen_from_neighbours.longitude', 'seen_from_neighbours.latitude'
            ) | indent(12) }}
        ) as distance_m
    from places
    inner join seen_from_neighbours
        on
            places.cell_x = seen_from_neighbours.cell_x
            and places.cell_y = seen_from_neighbours.cell_y
    group by places.college_id, seen_from_neighbours.uai

),

-- A name that somebody decided on, in any spelling the collège ever had; a decision about past
-- school years says nothing of today's directory.
decided as (

    select distinct
        school_years.college_id,
        decisions.uai
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code
    where decisions.last_school_year is null

),

by_decision as (

    select
        decided.college_id,
        decided.uai,
        1 as rule_rank,
        cast(1 as double) as name_similarity
    from decided
    inner join directory
        on decided.uai = directory.uai

),

by_name_and_insee as (

    select
        college_names.college_id,
        directory_names.uai,
        case
            when college_names.is_current = 1 and directory_names.is_current = 1 then 2
            else 3
        end as rule_rank,
        cast(1 as double) as name_similarity
    from college_names
    inner join directory_names
        on
            college_names.spelling = directory_names.spelling
            and college_names.insee_code = directory_names.insee_code

),

near_names as (

    select
        near.college_id,
        near.uai,
        near.distance_m,
        college_names.spelling = directory_names.spelling as is_same_name,
        case
            when near.distance_m <= {{ similar_name_within_m }}
                then
                    {{ name_similarity('college_names.spelling', 'directory_names.spelling')
                       | indent(20) }}
        end as name_similarity
    from near
    inner join college_names
        on near.college_id = college_names.college_id
    inner join directory_names
        on near.uai = directory_names.uai
    where near.distance_m <= {{ same_name_within_m }}

),

by_name_and_place as (

    select
        college_id,
        uai,
        case when is_same_name then 4 else 5 end as rule_rank,
        case when is_same_name then cast(1 as double) else name_similarity end as name_similarity
    from near_names
    where is_same_name or name_similarity >= {{ similar_from }}

),

by_rule as (

    select * from by_name_and_insee
    union all
    select * from by_name_and_place

),

-- A person's word about a collège or an entry ends the matter for both.
undecided as (

    select by_rule.*
    from by_rule
    left join decided as decided_colleges
        on by_rule.college_id = decided_colleges.college_id
    left join decided as decided_entries
        on by_rule.uai = decided_entries.uai
    where decided_colleges.college_id is null and decided_entries.uai is null

),

joined as (

    select * from by_decision
    union all
    select * from undecided

),

best_rules as (

    select
        college_id,
        uai,
        min(rule_rank) as rule_rank,
        max(name_similarity) as name_similarity
    from joined
    group by college_id, uai

),

-- from the nearest place the collège ever had: the directory may hold the old one
distances as (

    select
        best_rules.college_id,
        best_rules.uai,
        min(
            {{ haversine_m(
                'places.longitude', 'places.latitude', 'directory.longitude', 'directory.latitude'
            ) | indent(12) }}
        ) as distance_m
    from best_rules
    inner join directory
        on best_rules.uai = directory.uai
    inner join places
        on best_rules.college_id = places.college_id
    group by best_rules.college_id, best_rules.uai

),

final as (

    select
        best_rules.college_id,
        best_rules.uai,
        best_rules.rule_rank,
        case best_rules.rule_rank
            when 1 then 'decision'
            when 2 then 'name_and_insee'
            when 3 then 'former_name_and_insee'
            when 4 then 'name_nearby'
            when 5 then 'similar_name_nearby'
        end as uai_match_method,
        best_rules.name_similarity,
        distances.distance_m as uai_distance_m,
        directory.is_listed
    from best_rules
    inner join directory
        on best_rules.uai = directory.uai
    left join distances
        on
            best_rules.college_id = distances.college_id
            and best_rules.uai = distances.uai

)

select * from final
