with

versions as (

    select * from {{ ref('stg_opendata_paris__college_versions') }}

),

decisions as (

    select * from {{ ref('college_identity_decisions') }}

),

-- Later versions of a record never change which collège it is: an id, once published, stays.
first_versions as (

    select
        record_key,
        run_sequence,
        insee_code,
        first_school_year_start,
        last_school_year_start,
        {{ normalise_name('college_name') }} as name_key
    from versions
    where not is_withdrawn
    qualify row_number() over (partition by record_key order by run_sequence) = 1

),

first_points as (

    select
        record_key,
        run_sequence,
        longitude,
        latitude
    from versions
    where not is_withdrawn and longitude is not null and latitude is not null
    qualify row_number() over (partition by record_key order by run_sequence) = 1

),

-- a decision speaks of the spelling and of the canonical name itself
decided_spellings as (

    select
        insee_code,
        {{ normalise_name('college_name') }} as name_key,
        {{ normalise_name('canonical_name') }} as canonical_name_key
    from decisions
    union all
    select
        insee_code,
        {{ normalise_name('canonical_name') }} as name_key,
        {{ normalise_name('canonical_name') }} as canonical_name_key
    from decisions

),

decided as (

    select distinct
        insee_code,
        name_key,
        canonical_name_key
    from decided_spellings

),

-- conflicting decisions fail a test; here they must not double a record
one_decision as (

    select *
    from decided
    qualify
        row_number() over (
            partition by insee_code, name_key order by canonical_name_key
        ) = 1

),

final as (

    select
        first_versions.record_key,
        first_versions.name_key,
        first_versions.insee_code,
        coalesce(one_decision.canonical_name_key, first_versions.name_key)
        || '|'
        || coalesce(first_versions.insee_code, '') as identity_key,
        one_decision.name_key is not null as is_decided,
        first_versions.first_school_year_start,
        first_versions.last_school_year_start,
        first_versions.run_sequence as first_run_sequence,
        first_points.longitude,
        first_points.latitude,
        first_points.run_sequence as point_run_sequence
    from first_versions
    left join first_points
        on first_versions.record_key = first_points.record_key
    left join one_decision
        on
            first_versions.name_key = one_decision.name_key
            and first_versions.insee_code = one_decision.insee_code

)

select * from final
