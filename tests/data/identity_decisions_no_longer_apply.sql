-- Decisions about a spelling that the portal does not have (any more) in the school year the
-- decision names, though that year has been loaded for the arrondissement. What the invented
-- sample says does not count.
with

decisions as (

    select * from {{ ref('college_identity_decisions') }}

),

records as (

    select * from {{ ref('int_college__records') }}

),

record_school_years as (

    select * from {{ ref('int_college__record_school_years') }}

),

source_loads as (

    select * from {{ ref('stg_source_loads') }}

),

real_runs as (

    select run_sequence
    from source_loads
    where dataset = 'etablissements-scolaires-colleges' and not coalesce(is_synthetic, false)

),

spelled as (

    select distinct
        {{ school_year_name('record_school_years.school_year_start') }} as school_year,
        records.insee_code,
        records.name_key
    from records
    inner join real_runs
        on records.first_run_sequence = real_runs.run_sequence
    inner join record_school_years
        on records.record_key = record_school_years.record_key
    where record_school_years.status = 'held'

)

select
    decisions.college_name,
    decisions.insee_code,
    decisions.spelled_in_school_year
from decisions
where
    exists (
        select 1 from spelled
        where
            spelled.school_year = decisions.spelled_in_school_year
            and spelled.insee_code = decisions.insee_code
    )
    and not exists (
        select 1 from spelled
        where
            spelled.school_year = decisions.spelled_in_school_year
            and spelled.insee_code = decisions.insee_code
            and spelled.name_key = {{ normalise_name('decisions.college_name') }}
    )
