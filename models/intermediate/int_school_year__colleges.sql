with

versions as (

    select * from {{ ref('stg_opendata_paris__college_versions') }}

),

bounds as (

    select * from {{ ref('int_school_year__bounds') }}

),

-- A version holds from its run until the next of its record, be that a tombstone, which names no
-- school year, or not.
presences as (

    select
        first_school_year_start,
        last_school_year_start,
        run_sequence as from_run_sequence,
        {{ normalise_name('college_name') }} || '|' || coalesce(insee_code, '') as college_key,
        lead(run_sequence) over (
            partition by record_key order by run_sequence
        ) as until_run_sequence
    from versions

),

runs as (

    select distinct run_sequence from versions

),

school_year_presences as (

    select
        first_school_year_start as school_year_start,
        college_key,
        from_run_sequence,
        until_run_sequence
    from presences

    union all

    select
        last_school_year_start as school_year_start,
        college_key,
        from_run_sequence,
        until_run_sequence
    from presences
    where last_school_year_start > first_school_year_start

),

-- Counted after each run, since a respelled column or a range that was split up is the same
-- collèges once more: never on the portal together, or of the same names.
after_each_run as (

    select
        school_year_presences.school_year_start,
        runs.run_sequence,
        count(distinct school_year_presences.college_key) as colleges
    from school_year_presences
    inner join bounds
        on
            school_year_presences.school_year_start between bounds.first_start
            and bounds.last_start
    inner join runs
        on
            school_year_presences.from_run_sequence <= runs.run_sequence
            and (
                school_year_presences.until_run_sequence is null
                or school_year_presences.until_run_sequence > runs.run_sequence
            )
    group by school_year_presences.school_year_start, runs.run_sequence

),

latest_run as (

    select max(run_sequence) as run_sequence from runs

),

counted as (

    select
        after_each_run.school_year_start,
        max(after_each_run.colleges) as colleges_at_most,
        max(
            case
                when after_each_run.run_sequence = latest_run.run_sequence
                    then after_each_run.colleges
                else 0
            end
        ) as colleges_now
    from after_each_run
    cross join latest_run
    group by after_each_run.school_year_start

),

-- What there is now, where that is a whole list: sixty private schools that were listed for a day
-- do not make the city's own list the rest of one. Else the most there was, since portals erase the
-- past.
sized as (

    select
        *,
        case
            when
                {{
                    is_whole(
                        'colleges_now', order_by='school_year_start', fullest='colleges_at_most'
                    )
                }}
                then colleges_now
            else colleges_at_most
        end as colleges
    from counted

),

judged as (

    select
        *,
        {{ is_whole('colleges', order_by='school_year_start') }} as is_whole,
        colleges_now >= {{ var('school_year_floor') }} * colleges as is_on_portal
    from sized

),

final as (

    select
        school_year_start,
        {{ school_year_name('school_year_start') }} as school_year,
        colleges_at_most,
        colleges_now,
        is_whole,
        is_on_portal,
        sum(case when is_whole then 1 else 0 end) over (
            order by school_year_start rows between unbounded preceding and current row
        ) as held_number
    from judged

)

select * from final
