with

names as (

    select * from {{ ref('int_sector__college_names') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

college_names as (

    select distinct
        college_id,
        name_key
    from school_years

),

candidates as (

    -- the sectors give no arrondissement: among namesakes the address tells
    select
        names.sector_key,
        names.school_year_start,
        names.name_key,
        school_years.college_id,
        case when names.address_key = school_years.address_key then 1 else 2 end as rule_rank
    from names
    inner join school_years
        on
            names.name_key = school_years.name_key
            and names.school_year_start = school_years.school_year_start

    union all

    -- the collège dataset lacks the school year, or spells the name otherwise in it
    select
        names.sector_key,
        names.school_year_start,
        names.name_key,
        college_names.college_id,
        3 as rule_rank
    from names
    inner join college_names
        on names.name_key = college_names.name_key

    union all

    select
        names.sector_key,
        names.school_year_start,
        names.name_key,
        school_years.college_id,
        4 as rule_rank
    from names
    inner join school_years
        on
            names.address_key = school_years.address_key
            and names.school_year_start = school_years.school_year_start

),

best_rules as (

    select
        sector_key,
        school_year_start,
        name_key,
        college_id,
        min(rule_rank) as rule_rank
    from candidates
    group by sector_key, school_year_start, name_key, college_id

),

best as (

    select *
    from best_rules
    qualify
        rule_rank = min(rule_rank) over (partition by sector_key, school_year_start, name_key)

),

-- equals at the best rule: nobody is taken
matched as (

    select *
    from best
    qualify count(*) over (partition by sector_key, school_year_start, name_key) = 1

),

final as (

    select
        names.sector_key,
        names.school_year_start,
        names.name_key,
        names.college_name,
        matched.college_id,
        case matched.rule_rank
            when 1 then 'name_and_address'
            when 2 then 'name'
            when 3 then 'name_of_another_year'
            when 4 then 'address'
        end as match_method
    from names
    left join matched
        on
            names.sector_key = matched.sector_key
            and names.school_year_start = matched.school_year_start
            and names.name_key = matched.name_key

)

select * from final
