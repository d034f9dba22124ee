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

-- Whatever was ever published: a portal that erases a session makes it no less whole.
published as (

    select
        'ivac' as source_name,
        uai,
        session - 1 as school_year_start,
        is_public
    from ivac

    union all

    select
        'ips' as source_name,
        uai,
        school_year_start,
        is_public
    from ips_ap2022

    union all

    select
        'ips' as source_name,
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
counted as (

    select
        published.source_name,
        published.school_year_start,
        count(distinct published.uai) as establishments
    from published
    left join private
        on published.uai = private.uai
    where
        published.school_year_start is not null
        and coalesce(published.is_public, private.uai is null)
    group by published.source_name, published.school_year_start

),

compared as (

    select
        *,
        max(establishments) over (
            partition by source_name
            order by school_year_start rows between unbounded preceding and 1 preceding
        ) as establishments_before,
        max(establishments) over (partition by source_name) as establishments_ever
    from counted

),

-- By the shares that make a school year of the city's whole.
final as (

    select
        source_name,
        school_year_start,
        establishments,
        establishments >= {{ var('school_year_floor') }} * coalesce(establishments_before, 0)
        and establishments >= {{ var('school_year_floor_of_all') }} * establishments_ever
            as is_whole
    from compared

)

select * from final
