with

labels as (

    select * from {{ ref('int_result__labels') }}

),

candidates as (

    select * from {{ ref('int_result__college_candidates') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

-- What the portal still publishes goes before what it withdrew, then the better rule.
graded as (

    select
        candidates.*,
        candidates.rule_rank + case when labels.is_withdrawn then 10 else 0 end as grade
    from candidates
    inner join labels
        on
            candidates.source_name = labels.source_name
            and candidates.uai = labels.uai
            and candidates.school_year_start = labels.school_year_start
            and candidates.label_key = labels.label_key

),

best_of_label as (

    select *
    from graded
    qualify
        grade = min(grade) over (partition by source_name, uai, school_year_start, label_key)

),

counted as (

    select
        *,
        count(*) over (
            partition by source_name, uai, school_year_start, label_key
        ) as rivals_for_label
    from best_of_label

),

-- A collège has one UAI at a time, though the two series of the IPS may spell its name twice.
compared as (

    select
        *,
        min(case when rivals_for_label = 1 then grade end) over (
            partition by source_name, college_id, school_year_start
        ) as best_grade_of_college,
        count(distinct case when rivals_for_label = 1 then uai end) over (
            partition by source_name, college_id, school_year_start, grade
        ) as rivals_for_college
    from counted

),

verdicts as (

    select distinct
        source_name,
        uai,
        school_year_start,
        label_key,
        case when rivals_for_label = 1 then college_id end as college_id,
        case
            when rivals_for_label > 1 then 'ambiguous'
            when grade > best_grade_of_college then 'another_uai_holds'
            when rivals_for_college > 1 then 'ambiguous'
            when rule_rank = 1 then 'decision'
            when rule_rank = 3 then 'name_and_insee'
            else 'directory'
        end as link_method
    from compared

),

final as (

    select
        labels.source_name,
        labels.uai,
        labels.school_year_start,
        labels.label_key,
        case
            when verdicts.link_method in ('decision', 'directory', 'name_and_insee')
                then verdicts.college_id
        end as college_id,
        case
            when verdicts.uai is not null then verdicts.link_method
            when uai_links.uai is not null then 'named_otherwise'
            else 'not_linked'
        end as link_method
    from labels
    left join verdicts
        on
            labels.source_name = verdicts.source_name
            and labels.uai = verdicts.uai
            and labels.school_year_start = verdicts.school_year_start
            and labels.label_key = verdicts.label_key
    left join uai_links
        on labels.uai = uai_links.uai

)

select * from final
