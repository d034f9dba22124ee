with

ivac as (

    select * from {{ ref('stg_education_nationale__ivac') }}

),

ips_ap2022 as (

    select * from {{ ref('stg_education_nationale__ips_ap2022') }}

),

ips_ap2023 as (

    select * from {{ ref('stg_education_nationale__ips_ap2023') }}

),

sectors as (

    select
        *,
        {{ normalise_name('sector_name') }} as sector_key
    from {{ ref('stg_opendata_paris__sectors') }}

),

bounds as (

    select * from {{ ref('int_school_year__bounds') }}

),

versions as (

    select * from {{ ref('stg_record_versions') }}
    where
        dataset in (
            'fr-en-indicateurs-valeur-ajoutee-colleges',
            'fr-en-ips-colleges-ap2022',
            'fr-en-ips-colleges-ap2023',
            'secteurs-scolaires-colleges'
        )

),

results as (

    {% for source_name, dataset, relation, school_year_start in [
        ('ivac', 'fr-en-indicateurs-valeur-ajoutee-colleges', 'ivac', 'session - 1'),
        ('ips', 'fr-en-ips-colleges-ap2022', 'ips_ap2022', 'school_year_start'),
        ('ips', 'fr-en-ips-colleges-ap2023', 'ips_ap2023', 'school_year_start'),
    ] -%}
    select
        '{{ source_name }}' as source_name,
        '{{ dataset }}' as dataset,
        record_key,
        uai,
        {{ school_year_start }} as school_year_start,
        is_public
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

private as (

    select distinct uai from results
    where not is_public

),

-- A result that does not say is of a public establishment, unless another calls it private.
published as (

    select
        results.source_name,
        results.dataset,
        results.record_key,
        results.school_year_start,
        results.uai as member
    from results
    left join private
        on results.uai = private.uai
    where coalesce(results.is_public, private.uai is null)

    union all

    select
        'sectors' as source_name,
        'secteurs-scolaires-colleges' as dataset,
        record_key,
        first_school_year_start as school_year_start,
        sector_key as member
    from sectors

    union all

    select
        'sectors' as source_name,
        'secteurs-scolaires-colleges' as dataset,
        record_key,
        last_school_year_start as school_year_start,
        sector_key as member
    from sectors
    where last_school_year_start > first_school_year_start

),

-- A version holds from its run until the next of its record.
presences as (

    select
        dataset,
        record_key,
        is_withdrawn,
        run_sequence as from_run_sequence,
        lead(run_sequence) over (
            partition by dataset, record_key order by run_sequence
        ) as until_run_sequence
    from versions

),

runs as (

    select distinct run_sequence from versions

),

-- Counted after each run, as int_school_year__colleges does: a UAI spelled otherwise for a day is
-- the same establishment once more, and a session that the portal erased was no less whole.
after_each_run as (

    select
        published.source_name,
        published.school_year_start,
        runs.run_sequence,
        count(distinct published.member) as members
    from published
    inner join presences
        on
            published.dataset = presences.dataset
            and published.record_key = presences.record_key
            and not presences.is_withdrawn
    inner join runs
        on
            presences.from_run_sequence <= runs.run_sequence
            and (
                presences.until_run_sequence is null
                or presences.until_run_sequence > runs.run_sequence
            )
    where published.school_year_start is not null
    group by published.source_name, published.school_year_start, runs.run_sequence

),

counted as (

    select
        source_name,
        school_year_start,
        max(members) as members
    from after_each_run
    group by source_name, school_year_start

),

judged as (

    select
        *,
        {{ is_whole('members', order_by='school_year_start', partition_by='source_name') }}
            as is_whole
    from counted

),

-- By the shares that make a school year of the city's whole, in a year that can be true.
final as (

    select
        judged.source_name,
        judged.school_year_start,
        judged.members,
        judged.is_whole
        and judged.school_year_start >= bounds.first_start
        -- without the city's datasets there is no last one
        and judged.school_year_start <= coalesce(bounds.last_start, judged.school_year_start)
            as is_whole
    from judged
    cross join bounds

)

select * from final
