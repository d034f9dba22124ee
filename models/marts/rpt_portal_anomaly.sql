with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

college_findings as (

    select
        'address_missing' as kind,
        record_key,
        college_id,
        school_year,
        cast(null as varchar) as published_value,
        cast(null as varchar) as contradicting_value
    from {{ ref('fct_college_school_year') }}
    where address is null

    union all

    select
        'point_missing' as kind,
        record_key,
        college_id,
        school_year,
        null as published_value,
        null as contradicting_value
    from {{ ref('fct_college_school_year') }}
    where longitude is null and not is_place_conflicting

    union all

    select
        'place_contradicts_itself' as kind,
        record_key,
        college_id,
        school_year_label as school_year,
        insee_code_published as published_value,
        coalesce(insee_code_of_label, '?') || ' / ' || coalesce(insee_code_of_point, '?')
            as contradicting_value
    from {{ ref('rpt_college_place_conflict') }}

    union all

    select
        case reason when 'retracted' then 'taken_back' else 'school_year_unusable' end as kind,
        record_key,
        college_id,
        school_year,
        school_year_label as published_value,
        case when reason <> 'retracted' then reason end as contradicting_value
    from {{ ref('rpt_college_record_not_counted') }}

    union all

    select
        'identity_in_doubt' as kind,
        null as record_key,
        college_id,
        school_year,
        college_name as published_value,
        other_college_name || ' (' || conflict_type || ', ' || other_college_id || ')'
            as contradicting_value
    from {{ ref('rpt_college_identity_conflict') }}
    where conflict_type not in ('joint_name', 'place_of_another', 'same_name_elsewhere')

    union all

    select
        case change_type when 'point_moved' then 'point_moved' else 'name_changed' end as kind,
        record_key,
        college_id,
        school_year,
        to_value as published_value,
        from_value as contradicting_value
    from {{ ref('int_college__changes') }}
    where change_type in ('renamed', 'respelled', 'point_moved')

),

latest_presence as (

    select *
    from {{ ref('fct_portal_edit') }}
    where
        edit_type in ('withdrawn', 'restored')
        and dataset in ('etablissements-scolaires-colleges', 'secteurs-scolaires-colleges')
    qualify
        row_number() over (
            partition by
                dataset,
                {{ record_meaning('record_key') | indent(16) }}
            order by run_sequence desc
        ) = 1

),

findings as (

    select
        'etablissements-scolaires-colleges' as dataset,
        kind,
        record_key,
        college_id,
        school_year,
        published_value,
        contradicting_value
    from college_findings

    union all

    select
        dataset,
        'sector_names_no_college' as kind,
        record_key,
        null as college_id,
        school_year,
        college_name as published_value,
        null as contradicting_value
    from {{ ref('rpt_record_without_college') }}
    where dataset = 'secteurs-scolaires-colleges'

    union all

    select
        dataset,
        edit_type as kind,
        record_key,
        college_id,
        school_year,
        null as published_value,
        null as contradicting_value
    from latest_presence
    where edit_type = 'withdrawn'

),

record_spans as (

    select
        dataset,
        record_key,
        is_withdrawn,
        extracted_at,
        min(extracted_at) over (partition by dataset, record_key) as first_extracted_at
    from versions
    qualify
        row_number() over (
            partition by dataset, record_key order by run_sequence desc, is_withdrawn asc
        ) = 1

),

latest_loads as (

    select
        dataset,
        max(coalesce(extracted_at, finished_at)) as extracted_at
    from {{ ref('fct_source_load') }}
    where status in ('finished', 'unchanged') and not coalesce(is_withdrawal_refused, false)
    group by dataset

),

final as (

    select
        findings.kind,
        findings.dataset,
        findings.record_key,
        findings.college_id,
        findings.school_year,
        findings.published_value,
        findings.contradicting_value,
        coalesce(record_spans.is_withdrawn, false) as is_withdrawn,
        record_spans.first_extracted_at,
        case
            when findings.record_key is null then null
            when record_spans.is_withdrawn then record_spans.extracted_at
            else latest_loads.extracted_at
        end as last_extracted_at
    from findings
    left join record_spans
        on
            findings.dataset = record_spans.dataset
            and findings.record_key = record_spans.record_key
    left join latest_loads on findings.dataset = latest_loads.dataset

)

select * from final
