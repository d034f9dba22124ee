with

records as (

    select * from {{ ref('int_college__records') }}

),

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

final as (

    select
        record_school_years.identity_key,
        record_school_years.school_year_start,
        record_school_years.held_number,
        record_school_years.status = 'retracted' as is_retracted,
        min(records.first_run_sequence) as first_run_sequence,
        max(records.withdrawn_run_sequence) as withdrawn_run_sequence
    from record_school_years
    inner join records
        on record_school_years.record_key = records.record_key
    where record_school_years.status in ('held', 'partial_school_year', 'retracted')
    group by
        record_school_years.identity_key,
        record_school_years.school_year_start,
        record_school_years.held_number,
        record_school_years.status = 'retracted'

)

select * from final
