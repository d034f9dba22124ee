with

arrondissements as (

    select * from {{ ref('stg_opendata_paris__arrondissements') }}

),

school_years as (

    select * from {{ ref('int_college__years_seen') }}

),

-- where the outlines have not landed, the facts still find their arrondissement
named_by_colleges as (

    select
        school_years.arrondissement_number,
        min(school_years.insee_code) as insee_code
    from school_years
    left join arrondissements
        on school_years.arrondissement_number = arrondissements.arrondissement_number
    where
        school_years.arrondissement_number is not null
        and arrondissements.arrondissement_number is null
    group by school_years.arrondissement_number

),

final as (

    select
        arrondissement_number,
        insee_code,
        arrondissement_name,
        round(area_m2 / 1000000, 3) as area_km2,
        boundary_geojson
    from arrondissements

    union all

    select
        arrondissement_number,
        insee_code,
        cast(null as varchar) as arrondissement_name,
        cast(null as double) as area_km2,
        cast(null as varchar) as boundary_geojson
    from named_by_colleges

)

select * from final
