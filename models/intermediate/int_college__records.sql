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
        {{ normalise_name('college_name') }} as name_key,
        {{ normalise_address('address') }} as address_key
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

withdrawals as (

    select
        record_key,
        max(run_sequence) as run_sequence
    from versions
    where is_withdrawn
    group by record_key

),

-- a decision speaks of the spelling and of the canonical name itself
decided_spellings as (

    select
        insee_code,
        {{ normalise_name('college_name') }} as name_key,
        canonical_name,
        coalesce(canonical_insee_code, insee_code) as canonical_insee_code,
        from_school_year
    from decisions
    union all
    select
        coalesce(canonical_insee_code, insee_code) as insee_code,
        {{ normalise_name('canonical_name') }} as name_key,
        canonical_name,
        coalesce(canonical_insee_code, insee_code) as canonical_insee_code,
        cast(null as varchar) as from_school_year
    from decisions

),

-- Of several decisions the one that begins last before the record's school year holds. Decisions
-- that contradict each other fail a test; here they must not double a record.
one_decision as (

    select
        first_versions.record_key,
        {{ normalise_name('decided_spellings.canonical_name') }} as canonical_name_key,
        decided_spellings.canonical_insee_code
    from first_versions
    inner join decided_spellings
        on
            first_versions.name_key = decided_spellings.name_key
            and first_versions.insee_code = decided_spellings.insee_code
            and coalesce(decided_spellings.from_school_year, '')
            <= coalesce({{ school_year_name('first_versions.first_school_year_start') }}, '')
    qualify
        row_number() over (
            partition by first_versions.record_key
            order by
                coalesce(decided_spellings.from_school_year, '') desc,
                {{ normalise_name('decided_spellings.canonical_name') }} asc,
                decided_spellings.canonical_insee_code asc
        ) = 1

),

final as (

    select
        first_versions.record_key,
        first_versions.name_key,
        {{ directory_name_key('first_versions.name_key') }} as spelling,
        first_versions.insee_code,
        first_versions.address_key,
        coalesce(one_decision.canonical_name_key, first_versions.name_key)
        || '|'
        || coalesce(one_decision.canonical_insee_code, first_versions.insee_code, '')
            as identity_key,
        one_decision.record_key is not null as is_decided,
        first_versions.first_school_year_start,
        first_versions.last_school_year_start,
        first_versions.run_sequence as first_run_sequence,
        first_points.longitude,
        first_points.latitude,
        withdrawals.run_sequence as withdrawn_run_sequence
    from first_versions
    left join withdrawals
        on first_versions.record_key = withdrawals.record_key
    left join first_points
        on first_versions.record_key = first_points.record_key
    left join one_decision
        on first_versions.record_key = one_decision.record_key

)

select * from final
