with

years_seen as (

    select * from {{ ref('int_college__years_seen') }}

),

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

current_school_year as (

    select school_year_start from spine
    where is_current

),

spans as (

    select
        years_seen.college_id,
        coalesce(
            min(case when years_seen.status = 'held' then years_seen.school_year_start end),
            min(
                case
                    when years_seen.status = 'partial_school_year'
                        then years_seen.school_year_start
                end
            )
        ) as first_school_year_start,
        coalesce(
            max(case when years_seen.status = 'held' then years_seen.school_year_start end),
            max(
                case
                    when years_seen.status = 'partial_school_year'
                        then years_seen.school_year_start
                end
            )
        ) as last_school_year_start,
        max(
            case
                when
                    years_seen.status = 'held'
                    and years_seen.school_year_start = current_school_year.school_year_start
                    then 1
                else 0
            end
        ) = 1 as is_in_current_school_year
    from years_seen
    left join current_school_year
        on years_seen.school_year_start = current_school_year.school_year_start
    group by years_seen.college_id

),

-- On the portal, in a school year that does not count: it is not known which one was meant. A
-- partial year to come says nothing of a collège that stands in the current one.
doubtful as (

    select distinct identities.college_id
    from record_school_years
    inner join identities
        on record_school_years.identity_key = identities.identity_key
    inner join spans
        on identities.college_id = spans.college_id
    left join current_school_year
        on record_school_years.school_year_start > current_school_year.school_year_start
    where
        not record_school_years.is_withdrawn
        and (
            record_school_years.status in ('unknown_label', 'implausible_school_year')
            or (
                record_school_years.status = 'partial_school_year'
                and (
                    current_school_year.school_year_start is null
                    or not spans.is_in_current_school_year
                )
            )
        )

),

final as (

    select
        spans.college_id,
        spans.first_school_year_start,
        spans.last_school_year_start,
        spans.is_in_current_school_year,
        spans.first_school_year_start is null as is_retracted,
        doubtful.college_id is not null as is_in_doubt
    from spans
    left join doubtful
        on spans.college_id = doubtful.college_id

)

select * from final
