{#- A view: a table would be a second copy of raw, and of the changed records alone are the payloads
    read. -#}
{{ config(materialized='view') }}

{%- set columns = [
    'record_key',
    'run_sequence',
    'content_hash',
    'payload',
    'is_withdrawn',
    'extracted_at',
] %}

with

source as (

    {{ raw_versions(columns) }}

),

final as (

    select
        dataset,
        record_key,
        run_sequence,
        content_hash,
        payload,
        is_withdrawn,
        extracted_at
    from source
    qualify
        row_number() over (
            partition by dataset, record_key, run_sequence order by is_withdrawn, content_hash
        ) = 1

)

select * from final
