-- Records that staging does not have as the portal said them last: another version of the record,
-- or none. What is withdrawn keeps the last version before the tombstone.
{%- set staged = [
    'stg_opendata_paris__colleges',
    'stg_opendata_paris__sectors',
    'stg_opendata_paris__arrondissements',
    'stg_education_nationale__establishments',
    'stg_education_nationale__ivac',
    'stg_education_nationale__ips_ap2022',
    'stg_education_nationale__ips_ap2023',
    'stg_education_nationale__street_ranges',
] %}

with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

said_last as (

    select
        record_key,
        max(run_sequence) as run_sequence
    from versions
    where not is_withdrawn
    group by dataset, record_key

),

staged as (

    {% for model in staged -%}
    select
        record_key,
        run_sequence
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    record_key,
    run_sequence
from said_last
except
select
    record_key,
    run_sequence
from staged
