with

labels as (

    select * from {{ ref('int_result__labels') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

decisions as (

    select * from {{ ref('uai_decisions') }}

),

college_names as (

    select distinct
        college_id,
        insee_code,
        {{ directory_name_key('name_key') }} as spelling
    from school_years

),

-- A decision for some school years needs no entry in the directory: the ministry's earlier UAI of a
-- collège has none. One without school years is about the directory and acts through its link.
decided as (

    select distinct
        school_years.college_id,
        decisions.uai,
        {{ school_year_first_start('decisions.first_school_year') }} as first_start,
        {{ school_year_first_start('decisions.last_school_year') }} as last_start
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code

),

-- Asked for below by `not exists`: DuckDB 2.0.0 loses rows where branches of a union read one CTE,
-- one of them with a filter on null and an outer join whose right side must be null.
decided_without_uai as (

    select college_id from decided
    where uai is null

),

by_decision as (

    select
        labels.source_name,
        labels.uai,
        labels.school_year_start,
        labels.label_key,
        decided.college_id,
        1 as rule_rank
    from labels
    inner join decided
        on
            labels.uai = decided.uai
            and labels.school_year_start >= coalesce(decided.first_start, 0)
            and labels.school_year_start <= coalesce(decided.last_start, 9999)
    where coalesce(decided.first_start, decided.last_start) is not null

),

-- what a linked collège is called, by the city and by the directory
linked_names as (

    select
        uai_links.uai,
        uai_links.college_id,
        college_names.spelling
    from uai_links
    inner join college_names
        on uai_links.college_id = college_names.college_id
    {% for name in ['official_name', 'patronym'] -%}
    union all
    select
        uai_links.uai,
        uai_links.college_id,
        {{ directory_name_key(normalise_name('establishments.' ~ name)) }} as spelling
    from uai_links
    inner join establishments
        on uai_links.uai = establishments.uai
    {% endfor %}
),

by_directory as (

    select
        labels.source_name,
        labels.uai,
        labels.school_year_start,
        labels.label_key,
        linked_names.college_id,
        case when labels.label_key = linked_names.spelling then 2 else 4 end as rule_rank
    from labels
    inner join linked_names
        on labels.uai = linked_names.uai
    -- a record without a name contradicts nothing
    where labels.label_key = '' or {{ names_agree('labels.label_key', 'linked_names.spelling') }}

),

-- The directory lists what is open today, under today's UAI: what it no longer says, the name does.
by_label as (

    select
        labels.source_name,
        labels.uai,
        labels.school_year_start,
        labels.label_key,
        college_names.college_id,
        3 as rule_rank
    from labels
    inner join college_names
        on
            labels.label_key = college_names.spelling
            and labels.insee_code = college_names.insee_code
    where
        not exists (
            select 1 from decided_without_uai
            where decided_without_uai.college_id = college_names.college_id
        )

),

joined as (

    select * from by_decision
    union all
    select * from by_directory
    union all
    select * from by_label

),

final as (

    select
        source_name,
        uai,
        school_year_start,
        label_key,
        college_id,
        min(rule_rank) as rule_rank
    from joined
    group by source_name, uai, school_year_start, label_key, college_id

)

select * from final
