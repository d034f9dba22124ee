-- Links that were checked by hand, wherever their collège and a directory are held.
with

colleges as (

    select * from {{ ref('dim_college') }}

),

school_years as (

    select * from {{ ref('int_college__school_years') }}

),

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

known as (

    -- a private namesake, 0752895P, stands 1.3 km away
    select
        'CHARLES PEGUY' as name_key,
        '75119' as insee_code,
        '0751706X' as uai
    union all
    -- the city dropped an N, the directory kept it
    select
        'FRANCOISE SELIGMAN' as name_key,
        '75110' as insee_code,
        '0755778Y' as uai
    union all
    -- the city dropped the article and the address, the directory kept both
    select
        'ROSE BLANCHE' as name_key,
        '75117' as insee_code,
        '0755779Z' as uai

)

select distinct
    known.name_key,
    known.uai as known_uai,
    colleges.uai
from known
inner join school_years
    on
        known.name_key = school_years.name_key
        and known.insee_code = school_years.insee_code
inner join colleges
    on school_years.college_id = colleges.college_id
where
    coalesce(colleges.uai, '') <> known.uai
    and exists (select 1 from establishments)
