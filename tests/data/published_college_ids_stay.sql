-- Ids once published that are neither a collège nor an alias now, and aliases that are older than
-- the id that was kept.
with

published as (

    select * from {{ ref('college_ids_published') }}

),

colleges as (

    select * from {{ ref('dim_college') }}

),

aliases as (

    select * from {{ ref('bridge_college_id_alias') }}

),

vanished as (

    select
        published.college_id,
        'vanished' as problem
    from published
    left join colleges
        on published.college_id = colleges.college_id
    left join aliases
        on published.college_id = aliases.alias_college_id
    where colleges.college_id is null and aliases.alias_college_id is null

),

younger_kept as (

    select
        aliases.alias_college_id as college_id,
        'older than the id it is an alias of' as problem
    from aliases
    inner join published as published_alias
        on aliases.alias_college_id = published_alias.college_id
    inner join published as published_kept
        on aliases.college_id = published_kept.college_id
    -- in the order of publication; among those of before it was counted, by the clock
    where
        coalesce(published_alias.ids_published_before, 0)
        < coalesce(published_kept.ids_published_before, 0)
        or (
            published_alias.ids_published_before is null
            and published_kept.ids_published_before is null
            and published_alias.dbt_valid_from < published_kept.dbt_valid_from
        )

)

select * from vanished
union all
select * from younger_kept
