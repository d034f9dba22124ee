with

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

final as (

    select
        record_school_years.record_key,
        {{ school_year_name('record_school_years.school_year_start') }} as school_year,
        record_school_years.status as reason,
        identities.college_id,
        colleges.college_name,
        colleges.school_year_label,
        colleges.is_withdrawn,
        colleges.extracted_at
    from record_school_years
    inner join colleges
        on record_school_years.record_key = colleges.record_key
    inner join identities
        on record_school_years.identity_key = identities.identity_key
    where
        record_school_years.status = 'retracted'
        or (record_school_years.status <> 'held' and not record_school_years.is_withdrawn)

)

select * from final
