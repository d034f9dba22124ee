with

colleges as (

    select * from {{ ref('dim_college') }}

),

verdicts as (

    select * from {{ ref('int_college__uai_verdicts') }}

),

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

linked as (

    select * from verdicts
    where verdict = 'linked'

),

unlinked_colleges as (

    select colleges.college_id
    from colleges
    left join linked
        on colleges.college_id = linked.college_id
    where linked.college_id is null

),

unlinked_entries as (

    select establishments.uai
    from establishments
    left join linked
        on establishments.uai = linked.uai
    where establishments.is_public and linked.uai is null

),

pairs as (

    select
        verdicts.college_id,
        verdicts.uai,
        case
            when verdicts.verdict = 'linked' then 'far_apart'
            else verdicts.verdict
        end as reason,
        verdicts.uai_match_method,
        verdicts.name_similarity,
        verdicts.uai_distance_m
    from verdicts
    left join unlinked_colleges
        on verdicts.college_id = unlinked_colleges.college_id
    left join unlinked_entries
        on verdicts.uai = unlinked_entries.uai
    where
        unlinked_colleges.college_id is not null
        or unlinked_entries.uai is not null
        or (
            verdicts.verdict = 'linked'
            and verdicts.uai_distance_m > {{ var('uai_same_name_within_m') }}
        )

),

without_candidate as (

    select
        unlinked_colleges.college_id,
        cast(null as varchar) as uai
    from unlinked_colleges
    left join verdicts
        on unlinked_colleges.college_id = verdicts.college_id
    where verdicts.college_id is null

    union all

    select
        cast(null as varchar) as college_id,
        unlinked_entries.uai
    from unlinked_entries
    left join verdicts
        on unlinked_entries.uai = verdicts.uai
    where verdicts.uai is null

),

reviewed as (

    select * from pairs

    union all

    select
        college_id,
        uai,
        'no_candidate' as reason,
        cast(null as varchar) as uai_match_method,
        cast(null as double) as name_similarity,
        cast(null as double) as uai_distance_m
    from without_candidate

),

final as (

    select
        reviewed.college_id,
        reviewed.uai,
        reviewed.reason,
        colleges.college_name,
        colleges.insee_code as college_insee_code,
        colleges.last_school_year,
        colleges.is_open,
        establishments.official_name as directory_name,
        establishments.insee_code as directory_insee_code,
        not establishments.is_withdrawn as is_listed,
        reviewed.uai_match_method,
        reviewed.name_similarity,
        reviewed.uai_distance_m
    from reviewed
    left join colleges
        on reviewed.college_id = colleges.college_id
    left join establishments
        on reviewed.uai = establishments.uai

)

select * from final
