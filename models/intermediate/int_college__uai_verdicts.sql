with

candidates as (

    select * from {{ ref('int_college__uai_candidates') }}

),

labels as (

    select distinct uai from {{ ref('int_result__labels') }}
    where not is_withdrawn

),

-- Within a rule an entry that the directory lists as open goes before one it closed or dropped, and
-- then one that the ministry publishes results of before one that has none, such as an entry made
-- twice.
graded as (

    select
        candidates.*,
        candidates.rule_rank * 4
        + case when candidates.is_listed then 0 else 2 end
        + case when labels.uai is not null then 0 else 1 end as grade
    from candidates
    left join labels
        on candidates.uai = labels.uai

),

compared as (

    select
        *,
        min(grade) over (partition by college_id) as best_grade_of_college,
        min(grade) over (partition by uai) as best_grade_of_entry,
        count(*) over (partition by college_id, grade) as rivals_for_college,
        count(*) over (partition by uai, grade) as rivals_for_entry
    from graded

),

-- A link is each other's best and has no equal on either side. Where there are equals nobody is
-- linked, by this rule or a weaker one: which one it is, a person decides.
final as (

    select
        college_id,
        uai,
        uai_match_method,
        name_similarity,
        uai_distance_m,
        case
            when grade > best_grade_of_college or grade > best_grade_of_entry then 'outranked'
            when rivals_for_college > 1 or rivals_for_entry > 1 then 'ambiguous'
            else 'linked'
        end as verdict
    from compared

)

select * from final
