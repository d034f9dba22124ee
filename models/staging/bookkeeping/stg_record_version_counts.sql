with

source as (

    {{ raw_versions(['run_sequence', 'is_withdrawn']) }}

),

final as (

    select
        dataset,
        run_sequence,
        count(*) as versions_in_raw,
        count(case when is_withdrawn then 1 end) as tombstones_in_raw
    from source
    group by dataset, run_sequence

)

select * from final
