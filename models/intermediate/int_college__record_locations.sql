with

colleges as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

records as (

    select * from {{ ref('int_college__records') }}

),

identities as (

    select * from {{ ref('int_college__identities') }}

),

keyed as (

    select
        colleges.record_key,
        identities.college_id,
        identities.college_id
        || '|'
        || coalesce({{ normalise_address('colleges.address') }}, '') as location_key
    from colleges
    inner join records
        on colleges.record_key = records.record_key
    inner join identities
        on records.identity_key = identities.identity_key

),

final as (

    select
        record_key,
        college_id,
        'l' || substr(md5(location_key), 1, 12) as location_id
    from keyed

)

select * from final
