-- School years that a model speaks of and dim_school_year does not have: one test for all of them.
with

school_years as (

    select * from {{ ref('dim_school_year') }}

),

spoken_of as (

    select
        'agg_arrondissement_school_year' as model_name,
        school_year
    from {{ ref('agg_arrondissement_school_year') }}

    union all

    select
        'agg_school_year' as model_name,
        school_year
    from {{ ref('agg_school_year') }}

    union all

    select
        'bridge_sector_college' as model_name,
        school_year
    from {{ ref('bridge_sector_college') }}

    union all

    select
        'dim_college' as model_name,
        first_school_year as school_year
    from {{ ref('dim_college') }}

    union all

    select
        'dim_college' as model_name,
        last_school_year as school_year
    from {{ ref('dim_college') }}

    union all

    select
        'fct_college_change' as model_name,
        school_year
    from {{ ref('fct_college_change') }}

    union all

    select
        'fct_college_distance' as model_name,
        school_year
    from {{ ref('fct_college_distance') }}

    union all

    select
        'fct_college_neighbour' as model_name,
        school_year
    from {{ ref('fct_college_neighbour') }}

    union all

    select
        'fct_college_neighbourhood' as model_name,
        school_year
    from {{ ref('fct_college_neighbourhood') }}

    union all

    select
        'fct_college_result' as model_name,
        school_year
    from {{ ref('fct_college_result') }}

    union all

    select
        'fct_college_school_year' as model_name,
        school_year
    from {{ ref('fct_college_school_year') }}

    union all

    select
        'fct_college_social_position' as model_name,
        school_year
    from {{ ref('fct_college_social_position') }}

    union all

    select
        'fct_sector_change' as model_name,
        from_school_year as school_year
    from {{ ref('fct_sector_change') }}

    union all

    select
        'fct_sector_school_year' as model_name,
        school_year
    from {{ ref('fct_sector_school_year') }}

    union all

    select
        'geo_distance_school' as model_name,
        school_year
    from {{ ref('geo_distance_school') }}

    union all

    select
        'rpt_sector_disagreement' as model_name,
        outline_school_year as school_year
    from {{ ref('rpt_sector_disagreement') }}

)

select distinct
    spoken_of.model_name,
    spoken_of.school_year
from spoken_of
left join school_years
    on spoken_of.school_year = school_years.school_year
where spoken_of.school_year is not null and school_years.school_year is null
