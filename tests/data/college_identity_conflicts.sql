-- Collèges whose identity the evidence leaves open, each with the other one it may be. A warning:
-- nothing is wrong with the load, and the marts say what is sure (two collèges, one closed, one
-- opened). A person decides in the seed college_identity_decisions.
{{ config(severity='warn') }}

select
    conflict_type,
    college_name,
    insee_code,
    other_college_name,
    other_insee_code,
    school_year
from {{ ref('rpt_college_identity_conflict') }}
