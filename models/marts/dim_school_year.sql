with

spine as (

    select * from {{ ref('int_school_year__spine') }}

),

final as (

    select
        school_year,
        cast(cast(school_year_start as varchar) || '-09-01' as date) as starts_on,
        cast(cast(school_year_start + 1 as varchar) || '-08-31' as date) as ends_on,
        is_current,
        is_held,
        is_partial
    from spine

)

select * from final
