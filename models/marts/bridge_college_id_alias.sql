with

records as (

    select * from {{ ref('int_college__records') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

spellings as (

    select
        records.name_key,
        records.insee_code,
        identities.college_id,
        {{ college_id("records.name_key || '|' || coalesce(records.insee_code, '')") }}
            as alias_college_id,
        records.is_decided
    from records
    inner join identities
        on records.identity_key = identities.identity_key

),

final as (

    select distinct
        alias_college_id,
        college_id,
        name_key as alias_name,
        insee_code as alias_insee_code,
        is_decided
    from spellings
    where alias_college_id <> college_id

)

select * from final
