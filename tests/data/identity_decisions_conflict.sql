-- Two decisions about one spelling, or a decision whose canonical name another decision gives to
-- somebody else.
with

decisions as (

    select * from {{ ref('college_identity_decisions') }}

),

compared as (

    select
        insee_code,
        coalesce(from_school_year, '') as from_school_year,
        {{ normalise_name('college_name') }} as name_key,
        {{ normalise_name('canonical_name') }} as canonical_name_key
    from decisions

),

contradictory as (

    select
        insee_code,
        name_key,
        'two canonical names' as problem
    from compared
    group by insee_code, name_key, from_school_year
    having count(distinct canonical_name_key) > 1

),

chained as (

    select
        one.insee_code,
        one.name_key,
        'its canonical name is a spelling of another' as problem
    from compared as one
    inner join compared as two
        on
            one.insee_code = two.insee_code
            and one.canonical_name_key = two.name_key
    -- from a school year on, a name may be handed on: two collèges that swap theirs
    where
        two.canonical_name_key <> two.name_key
        and one.from_school_year = ''
        and two.from_school_year = ''

)

select * from contradictory
union all
select * from chained
