-- Results and IPS of public collèges, published today, that hang on none. A warning: the facts are
-- right without them, only not complete, and a person decides whether a name was respelled, a UAI
-- renumbered (seed uai_decisions), another school meant or another year.
{{ config(severity='warn') }}

select
    dataset,
    record_key,
    uai,
    college_name,
    reason
from {{ ref('rpt_record_without_college') }}
where
    dataset <> 'secteurs-scolaires-colleges'
    and not is_withdrawn
