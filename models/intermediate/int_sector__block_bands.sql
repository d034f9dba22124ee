with

blocks as (

    select * from {{ ref('int_sector__blocks') }}

),

bands as (

    select distinct {{ latitude_band('latitude_a') }} as band
    from {{ ref('int_sector__edges') }}

),

final as (

    select
        blocks.sector_key,
        blocks.school_year_start,
        blocks.polygon_number,
        bands.band,
        blocks.min_longitude,
        blocks.max_longitude,
        blocks.min_latitude,
        blocks.max_latitude
    from blocks
    inner join bands
        on
            bands.band
            between {{ latitude_band('blocks.min_latitude') }}
            and {{ latitude_band('blocks.max_latitude') }}

)

select * from final
