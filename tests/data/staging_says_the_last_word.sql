-- Records that staging does not have as the portal said them last: another version of the record,
-- or none. What is withdrawn keeps the last version before the tombstone.
{%- set staged = {
    'stg_opendata_paris__colleges': 'etablissements-scolaires-colleges',
    'stg_opendata_paris__sectors': 'secteurs-scolaires-colleges',
    'stg_opendata_paris__arrondissements': 'arrondissements',
    'stg_education_nationale__establishments':
        'fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre',
    'stg_education_nationale__ivac': 'fr-en-indicateurs-valeur-ajoutee-colleges',
    'stg_education_nationale__ips_ap2022': 'fr-en-ips-colleges-ap2022',
    'stg_education_nationale__ips_ap2023': 'fr-en-ips-colleges-ap2023',
    'stg_education_nationale__street_ranges': 'fr-en-carte-scolaire-colleges-publics',
} %}

with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

said_last as (

    select
        dataset,
        record_key,
        max(run_sequence) as run_sequence
    from versions
    where not is_withdrawn
    group by dataset, record_key

),

staged as (

    {% for model, dataset in staged.items() -%}
    select
        '{{ dataset }}' as dataset,
        record_key,
        run_sequence
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    dataset,
    record_key,
    run_sequence
from said_last
except
select
    dataset,
    record_key,
    run_sequence
from staged
