with

establishments as (

    select * from {{ ref('int_establishment__directory') }}

),

-- Private schools stay out whatever their name; a section for pupils in difficulty (SEGPA) has a
-- UAI of its own under the name of its collège.
final as (

    select
        uai,
        insee_code,
        longitude,
        latitude,
        not is_withdrawn and coalesce(status_code, '1') = '1' as is_listed
    from establishments
    where
        is_public
        and coalesce(nature_code, '') <> '390'
        and coalesce({{ normalise_name('denomination') }}, '') not like 'SEGPA%'
        and coalesce({{ normalise_name('denomination') }}, '') not like 'SECTION%'

)

select * from final
