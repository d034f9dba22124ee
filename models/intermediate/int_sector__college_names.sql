{% set slots = [1, 2, 3, 4] %}

with

sectors as (

    select * from {{ ref('int_sector__school_years') }}

),

-- `Secteur des collèges A / B` in 2017-2018, a line each in 2023-2024
labels as (

    select
        *,
        replace(replace(sector_label, chr(13), ''), chr(10), '/') as label_on_one_line
    from sectors

),

parts as (

    select
        *,
        {{ replace_pattern('label_on_one_line', '^[^/]*coll[^ /]*[ /]+', '') }} as names_in_label
    from labels

),

listed as (

    {% for slot in slots -%}
    select
        sector_key,
        school_year_start,
        'slot' as name_source,
        college_name_{{ slot }} as college_name,
        college_address_{{ slot }} as college_address
    from parts
    union all
    -- a label of another layout names nobody
    select
        sector_key,
        school_year_start,
        'label' as name_source,
        case
            when names_in_label <> label_on_one_line
                then nullif(trim(split_part(names_in_label, '/', {{ slot }})), '')
        end as college_name,
        cast(null as varchar) as college_address
    from parts
    {{- ' union all' if not loop.last }}
    {% endfor %}
),

named as (

    select
        *,
        {{ normalise_name('college_name') }} as name_key
    from listed
    where college_name is not null

),

-- a slot goes first because it has an address
final as (

    select
        sector_key,
        school_year_start,
        name_key,
        college_name,
        {{ normalise_address('college_address') }} as address_key,
        name_source
    from named
    where name_key is not null
    qualify
        row_number() over (
            partition by sector_key, school_year_start, name_key
            order by name_source desc, college_name asc, college_address asc
        ) = 1

)

select * from final
