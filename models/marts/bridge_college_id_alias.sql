with

records as (

    select * from {{ ref('int_college__records') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

states as (

    select * from {{ ref('int_college__states') }}

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
    inner join states
        on identities.college_id = states.college_id

),

-- of two collèges that swapped names each has the other's name, and keeps its id
final as (

    select distinct
        spellings.alias_college_id,
        spellings.college_id,
        spellings.name_key as alias_name,
        spellings.insee_code as alias_insee_code,
        spellings.is_decided
    from spellings
    left join states as own
        on spellings.alias_college_id = own.college_id
    where own.college_id is null

)

select * from final
