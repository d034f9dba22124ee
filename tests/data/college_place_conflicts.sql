-- Records on the portal whose INSEE code, label and point do not agree on the arrondissement. A
-- warning: two of the three decide, a point that both others contradict is left out, and the rest
-- of the marts is right.
{{ config(severity='warn') }}

select
    college_name,
    school_year_label,
    insee_code_published,
    insee_code_of_label,
    insee_code_of_point,
    insee_code_taken
from {{ ref('rpt_college_place_conflict') }}
where not is_withdrawn
