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

versions as (

    select * from {{ ref('stg_record_versions') }}
    where
        dataset in (
            'fr-en-indicateurs-valeur-ajoutee-colleges',
            'fr-en-ips-colleges-ap2022',
            'fr-en-ips-colleges-ap2023'
        )

),

published as (

    select
        'ivac' as source_name,
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        record_key,
        uai,
        session - 1 as school_year_start,
        is_public
    from ivac

    union all

    select
        'ips' as source_name,
        'fr-en-ips-colleges-ap2022' as dataset,
        record_key,
        uai,
        school_year_start,
        is_public
    from ips_ap2022

    union all

    select
        'ips' as source_name,
        'fr-en-ips-colleges-ap2023' as dataset,
        record_key,
        uai,
        school_year_start,
        is_public
    from ips_ap2023

),

private as (

    select distinct uai from published
    where not is_public

),

-- A record that does not say is of a public establishment, unless another calls it private.
public as (

    select published.*
    from published
    left join private
        on published.uai = private.uai
    where
        published.school_year_start is not null
        and coalesce(published.is_public, private.uai is null)

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
        public.source_name,
        public.school_year_start,
        runs.run_sequence,
        count(distinct public.uai) as establishments
    from public
    inner join presences
        on
            public.dataset = presences.dataset
            and public.record_key = presences.record_key
            and not presences.is_withdrawn
    inner join runs
        on
            presences.from_run_sequence <= runs.run_sequence
            and (
                presences.until_run_sequence is null
                or presences.until_run_sequence > runs.run_sequence
            )
    group by public.source_name, public.school_year_start, runs.run_sequence

),

counted as (

    select
        source_name,
        school_year_start,
        max(establishments) as establishments
    from after_each_run
    group by source_name, school_year_start

),

final as (

    select
        source_name,
        school_year_start,
        establishments,
        {{ is_whole('establishments', order_by='school_year_start', partition_by='source_name') }}
            as is_whole
    from counted

)

select * from final
