with

versions as (

    select * from {{ ref('stg_record_versions') }}

),

with_meaning as (

    select
        dataset,
        record_key,
        {{ record_meaning('record_key') | indent(8) }} as record_meaning,
        run_sequence,
        is_withdrawn,
        content_hash,
        extracted_at
    from versions

),

-- The order is the run sequence, never a clock. Within its own kind the version before a held one
-- is the one that held the record last, over any time without it.
chained as (

    select
        *,
        lag(is_withdrawn) over (
            partition by dataset, record_key order by run_sequence
        ) as was_withdrawn,
        lag(run_sequence) over (
            partition by dataset, record_key, is_withdrawn order by run_sequence
        ) as previous_of_key,
        lead(is_withdrawn) over (
            partition by dataset, record_key order by run_sequence
        ) as is_withdrawn_next,
        lead(run_sequence) over (
            partition by dataset, record_key order by run_sequence
        ) as next_run_sequence,
        lead(run_sequence, 2) over (
            partition by dataset, record_key order by run_sequence
        ) as after_next_run_sequence
    from with_meaning
    qualify count(*) over (partition by dataset, record_meaning) > 1

),

-- The same record under another spelling of its key: a version that the portal held before and has
-- withdrawn once this run is over.
held_before as (

    select
        later.dataset,
        later.record_key,
        later.run_sequence,
        earlier.record_key as previous_record_key,
        earlier.run_sequence as previous_run_sequence
    from chained as later
    inner join chained as earlier
        on
            later.dataset = earlier.dataset
            and later.record_meaning = earlier.record_meaning
            and later.run_sequence > earlier.run_sequence
    where
        not later.is_withdrawn
        and not earlier.is_withdrawn
        and (
            later.previous_of_key = earlier.run_sequence
            and later.record_key = earlier.record_key
            or (
                later.record_key <> earlier.record_key
                and coalesce(later.was_withdrawn, true)
                and earlier.is_withdrawn_next
                and earlier.next_run_sequence <= later.run_sequence
                and coalesce(earlier.after_next_run_sequence > later.run_sequence, true)
            )
        )
    qualify
        row_number() over (
            partition by later.dataset, later.record_key, later.run_sequence
            order by
                earlier.run_sequence desc,
                case when later.record_key = earlier.record_key then 1 else 2 end asc,
                earlier.record_key asc
        ) = 1

),

-- How many spellings of the key the portal held after each run, and before it
presence as (

    select
        dataset,
        record_key,
        run_sequence,
        sum(
            case
                when is_withdrawn and not coalesce(was_withdrawn, true) then -1
                when not is_withdrawn and coalesce(was_withdrawn, true) then 1
                else 0
            end
        ) over (
            partition by dataset, record_meaning order by run_sequence
            range between unbounded preceding and current row
        ) as keys_after,
        sum(
            case
                when is_withdrawn and not coalesce(was_withdrawn, true) then -1
                when not is_withdrawn and coalesce(was_withdrawn, true) then 1
                else 0
            end
        ) over (partition by dataset, record_meaning, run_sequence) as keys_gained,
        min(run_sequence) over (partition by dataset, record_meaning) as first_run_sequence,
        row_number() over (
            partition by dataset, record_meaning, run_sequence order by is_withdrawn, record_key
        ) as row_of_run
    from chained

),

final as (

    select
        chained.dataset,
        chained.record_key,
        chained.run_sequence,
        chained.is_withdrawn,
        case
            when presence.row_of_run > 1 or presence.keys_gained = 0 then null
            when presence.keys_after = 0 then 'withdrawn'
            when
                presence.keys_after = presence.keys_gained
                and chained.run_sequence > presence.first_run_sequence
                then 'restored'
        end as presence_change,
        held_before.previous_record_key,
        held_before.previous_run_sequence,
        coalesce(chained.content_hash <> earlier.content_hash, false) as has_other_content,
        chained.extracted_at
    from chained
    inner join presence
        on
            chained.dataset = presence.dataset
            and chained.record_key = presence.record_key
            and chained.run_sequence = presence.run_sequence
    left join held_before
        on
            chained.dataset = held_before.dataset
            and chained.record_key = held_before.record_key
            and chained.run_sequence = held_before.run_sequence
    left join chained as earlier
        on
            held_before.dataset = earlier.dataset
            and held_before.previous_record_key = earlier.record_key
            and held_before.previous_run_sequence = earlier.run_sequence

)

select * from final
