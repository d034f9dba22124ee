with

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

decisions as (

    select * from {{ ref('uai_decisions') }}

),

-- A name that somebody decided on counts in any spelling the collège ever had. No UAI: the
-- directory has no entry for it.
final as (

    select distinct
        school_years.college_id,
        decisions.uai
    from decisions
    inner join school_years
        on
            {{ normalise_name('decisions.college_name') }} = school_years.name_key
            and decisions.insee_code = school_years.insee_code
    -- One that ended is of the past: int_result__college_links reads it.
    where decisions.last_school_year is null

)

select * from final
