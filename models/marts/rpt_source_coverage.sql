with

college_school_years as (

    select * from {{ ref('fct_college_school_year') }}
    where not is_partial_school_year

),

sectors as (

    select * from {{ ref('fct_sector_school_year') }}

),

exam_results as (

    select * from {{ ref('fct_college_result') }}

),

social_positions as (

    select * from {{ ref('fct_college_social_position') }}

),

periods as (

    select
        'etablissements-scolaires-colleges' as dataset,
        school_year
    from college_school_years
    union all
    select
        'secteurs-scolaires-colleges' as dataset,
        school_year
    from sectors
    union all
    select
        'fr-en-indicateurs-valeur-ajoutee-colleges' as dataset,
        school_year
    from exam_results
    union all
    select
        'fr-en-ips-colleges-' || series as dataset,
        school_year
    from social_positions

),

final as (

    select
        dataset,
        min(school_year) as first_school_year,
        max(school_year) as last_school_year,
        count(distinct school_year) as school_years
    from periods
    group by dataset

)

select * from final
