-- School years in which the collèges of the arrondissements are not all collèges. A collège is in
-- no arrondissement only where neither its code, its label nor its point says one. A warning: both
-- counts are right, and one collège without a place should not keep the others back.
{{ config(severity='warn') }}

with

school_years as (

    select * from {{ ref('fct_college_school_year') }}

)

select
    school_year,
    count(*) as colleges,
    count(arrondissement_number) as colleges_in_arrondissements
from school_years
group by school_year
having count(*) <> count(arrondissement_number)
