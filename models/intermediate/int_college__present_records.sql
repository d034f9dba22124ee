with

versions as (

    select * from {{ ref('stg_opendata_paris__college_versions') }}

),

records as (

    select * from {{ ref('stg_opendata_paris__colleges') }}

),

field_edits as (

    select * from {{ ref('int_portal_edit__field_edits') }}

),

first_located as (

    select
        record_key,
        min(run_sequence) as run_sequence
    from versions
    where longitude is not null and latitude is not null
    group by record_key

),

last_moved as (

    select
        record_key,
        max(run_sequence) as run_sequence
    from field_edits
    where
        dataset = 'etablissements-scolaires-colleges'
        and field in ('geo_point_2d', 'geo_shape')
    group by record_key

),

-- No rounding of a point computed anew each time is safe from noise; the point of the version that
-- moved it last is.
points as (

    select
        versions.record_key,
        versions.longitude,
        versions.latitude
    from first_located
    left join last_moved
        on first_located.record_key = last_moved.record_key
    inner join versions
        on
            first_located.record_key = versions.record_key
            and coalesce(last_moved.run_sequence, first_located.run_sequence)
            = versions.run_sequence

),

final as (

    select
        records.record_key,
        records.college_name,
        records.school_year_label,
        {{ normalise_text('records.address') }} as address_key,
        records.insee_code,
        {{ normalise_text('records.establishment_type') }} as establishment_type_key,
        round(points.longitude, 6) as longitude,
        round(points.latitude, 6) as latitude
    from records
    left join points
        on records.record_key = points.record_key
    where not records.is_withdrawn

)

select * from final
