with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

records as (

    select * from {{ ref('int_college__records') }}

),

school_years as (

    select * from {{ ref('int_school_year__colleges') }}

),

-- a label of one school year gives one row, and so does one that cannot be read
expanded as (

    select
        record_key,
        is_withdrawn,
        first_school_year_start as school_year_start
    from colleges

    union all

    select
        record_key,
        is_withdrawn,
        last_school_year_start as school_year_start
    from colleges
    where last_school_year_start > first_school_year_start

),

judged as (

    select
        expanded.record_key,
        records.identity_key,
        expanded.school_year_start,
        expanded.is_withdrawn,
        school_years.held_number,
        case
            when expanded.school_year_start is null then 'unknown_label'
            -- out of bounds, or a few records of a school year before the first that is whole
            when coalesce(school_years.held_number, 0) = 0 then 'implausible_school_year'
            when not school_years.is_whole then 'partial_school_year'
            else 'held'
        end as status,
        coalesce(school_years.is_on_portal or not school_years.is_whole, true)
            as is_withdrawal_a_retraction
    from expanded
    inner join records
        on expanded.record_key = records.record_key
    left join school_years
        on expanded.school_year_start = school_years.school_year_start

),

-- The portal has these collèges, in a school year that it may have mistyped. Until it is known
-- which one was meant, none of their records is taken for withdrawn by intent.
in_doubt as (

    select distinct identity_key
    from judged
    where status <> 'held' and not is_withdrawn

),

-- another record of the collège stands for the school year: a range that was split, another label
replaced as (

    select distinct
        identity_key,
        school_year_start
    from judged
    where status = 'held' and not is_withdrawn

),

final as (

    select
        judged.record_key,
        judged.identity_key,
        judged.school_year_start,
        judged.is_withdrawn,
        judged.held_number,
        case
            when
                judged.is_withdrawn
                and judged.is_withdrawal_a_retraction
                and in_doubt.identity_key is null
                and replaced.identity_key is null
                then 'retracted'
            else judged.status
        end as status
    from judged
    left join in_doubt
        on judged.identity_key = in_doubt.identity_key
    left join replaced
        on
            judged.identity_key = replaced.identity_key
            and judged.school_year_start = replaced.school_year_start

)

select * from final
