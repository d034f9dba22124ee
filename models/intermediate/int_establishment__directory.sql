with

establishments as (

    select * from {{ ref('stg_education_nationale__establishments') }}

),

-- A UAI in small letters is another record of the portal and the same establishment: what the
-- directory has now goes before what it had under the other spelling.
final as (

    select
        uai,
        official_name,
        denomination,
        patronym,
        is_public,
        address,
        insee_code,
        longitude,
        latitude,
        nature_code,
        status_code,
        is_withdrawn
    from establishments
    qualify
        row_number() over (
            partition by uai
            order by is_withdrawn asc, run_sequence desc, record_key asc
        ) = 1

)

select * from final
