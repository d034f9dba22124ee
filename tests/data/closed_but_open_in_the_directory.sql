-- Collèges that are closed in the latest whole school year and open in the ministry's directory: a
-- list of the city that is nine tenths complete counts as whole, and what it lacks closes without a
-- word. A warning: which of the two is late a person should find out, and the ministry may keep an
-- entry open for a year after a school has closed.
{{ config(severity='warn') }}

with

changes as (

    select * from {{ ref('fct_college_change') }}
    where change_type = 'closed'

),

current_school_year as (

    select * from {{ ref('dim_school_year') }}
    where is_current

),

colleges as (

    select * from {{ ref('dim_college') }}

),

entries as (

    select * from {{ ref('int_establishment__entries') }}
    where is_listed

)

select
    changes.school_year,
    colleges.college_id,
    colleges.college_name,
    entries.uai,
    changes.record_key
from changes
inner join current_school_year
    on changes.school_year = current_school_year.school_year
inner join colleges
    on changes.college_id = colleges.college_id
inner join entries
    on colleges.uai = entries.uai
