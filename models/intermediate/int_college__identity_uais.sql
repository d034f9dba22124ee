with

records as (

    select * from {{ ref('int_college__records') }}

),

establishment_names as (

    select * from {{ ref('int_establishment__names') }}

),

matched as (

    select distinct
        records.identity_key,
        establishment_names.uai
    from records
    inner join establishment_names
        on
            records.spelling = establishment_names.spelling
            and records.insee_code = establishment_names.insee_code

),

-- two entries of one name say nothing about either
final as (

    select
        identity_key,
        min(uai) as uai
    from matched
    group by identity_key
    having count(*) = 1

)

select * from final
