-- Published values that no fact shows, a row for each record: text that cannot be read, numbers
-- that cannot be. A warning: the marts have a null there and are right otherwise; a person should
-- see whether the ministry writes numbers in a new way (macro to_number) or made a slip.
{{ config(severity='warn') }}

select
    dataset,
    record_key,
    reason,
    published_values
from {{ ref('rpt_value_left_out') }}
where not is_withdrawn
