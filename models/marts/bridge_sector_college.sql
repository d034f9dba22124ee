with

sectors as (

    select * from {{ ref('fct_sector_school_year') }}

),

sector_keys as (

    select * from {{ ref('int_sector__school_years') }}

),

sector_colleges as (

    select * from {{ ref('int_sector__colleges') }}

),

-- two spellings of one collège in a sector are one row
final as (

    select distinct
        sectors.sector_name,
        sectors.school_year,
        sector_colleges.college_id,
        sectors.is_shared,
        sectors.record_key,
        sectors.is_withdrawn
    from sector_colleges
    inner join sector_keys
        on
            sector_colleges.sector_key = sector_keys.sector_key
            and sector_colleges.school_year_start = sector_keys.school_year_start
    inner join sectors
        on
            sector_keys.sector_name = sectors.sector_name
            and sector_keys.school_year = sectors.school_year
    where sector_colleges.college_id is not null

)

select * from final
