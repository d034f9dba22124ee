with

ranges as (

    select * from {{ ref('stg_education_nationale__street_ranges') }}

),

validity as (

    select * from {{ ref('int_street_range__validity') }}

),

colleges as (

    select * from {{ ref('dim_college') }}
    where uai is not null

),

arrondissements as (

    select * from {{ ref('dim_arrondissement') }}

),

final as (

    select
        ranges.record_key,
        validity.first_extracted_at,
        validity.withdrawn_at,
        ranges.insee_code,
        arrondissements.arrondissement_number,
        ranges.locality_name,
        ranges.street_name,
        {{ normalise_street('ranges.street_name') }} as street_key,
        ranges.number_from,
        upper(ranges.repetition_from) as repetition_from,
        ranges.number_to,
        upper(ranges.repetition_to) as repetition_to,
        ranges.parity,
        coalesce(ranges.is_single_college_commune, false) as is_single_college_commune,
        ranges.uai,
        colleges.college_id,
        validity.withdrawn_at is null as is_current
    from ranges
    inner join validity
        on ranges.record_key = validity.record_key
    left join colleges
        on ranges.uai = colleges.uai
    left join arrondissements
        on ranges.insee_code = arrondissements.insee_code

)

select * from final
