-- A private namesake must never stand for a public collège (CHARLES PEGUY, 19th and 11th).
with

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

establishments as (

    select * from {{ ref('int_establishment__directory') }}

)

select
    uai_links.college_id,
    uai_links.uai
from uai_links
left join establishments
    on uai_links.uai = establishments.uai
where not coalesce(establishments.is_public, false)
