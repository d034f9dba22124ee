with

years_seen as (

    select * from {{ ref('int_college__years_seen') }}

),

states as (

    select * from {{ ref('int_college__states') }}

),

uai_links as (

    select * from {{ ref('int_college__uai_link') }}

),

-- What was taken back speaks only for a collège that has nothing else, a partial school year only
-- for one that no whole school year has.
latest_held as (

    select
        *,
        {{ directory_name_key('name_key') }} as spelling
    from years_seen
    qualify
        row_number() over (
            partition by college_id
            order by
                case status when 'held' then 1 when 'partial_school_year' then 2 else 3 end,
                school_year_start desc nulls last
        ) = 1

),

linked as (

    select
        *,
        {{ directory_name_key(normalise_name('directory_name')) }} as directory_spelling
    from uai_links

),

-- The ministry's name only where it is the city's too: it may still have the one of before.
named as (

    select
        latest_held.college_id,
        case
            when
                {{ name_similarity('latest_held.spelling', 'linked.directory_spelling') }}
                >= {{ var('name_similarity_floor') }}
                and linked.directory_name like 'Collège %'
                and linked.directory_name <> upper(linked.directory_name)
                then linked.directory_name
            else
                'Collège ' || {{ ordinary_case(
                    without_kind('upper(latest_held.college_name)')
                ) }}
        end as display_name
    from latest_held
    left join linked
        on latest_held.college_id = linked.college_id

),

final as (

    select
        latest_held.college_id,
        uai_links.uai,
        uai_links.uai_match_method,
        named.display_name,
        latest_held.college_name,
        latest_held.address,
        latest_held.insee_code,
        latest_held.arrondissement_number,
        round(latest_held.longitude, 6) as longitude,
        round(latest_held.latitude, 6) as latitude,
        {{ school_year_name('states.first_school_year_start') }} as first_school_year,
        {{ school_year_name('states.last_school_year_start') }} as last_school_year,
        states.is_in_current_school_year
        or (states.is_in_doubt and not states.is_retracted) as is_open,
        states.is_retracted
    from latest_held
    inner join states
        on latest_held.college_id = states.college_id
    inner join named
        on latest_held.college_id = named.college_id
    left join uai_links
        on latest_held.college_id = uai_links.college_id

)

select * from final
