"""With one build per load, what the builds saw is what raw tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox.sample import write_sample
from tests.end_to_end.conftest import Home

COLLEGES = "etablissements-scolaires-colleges"

# Records of which one of the two tells more edits of a kind than the other. The snapshot leaves two
# fields unwatched; a record put back with other content is one new row of it. To the snapshot a key
# spelled otherwise is another record; to the mart it is none, so that the old spelling, which goes
# with the build that brings the new one, was not withdrawn.
DISAGREEMENTS = f"""
with

ordered as (

    select
        record_key,
        dbt_is_deleted = 'True' as is_gone,
        lag(dbt_is_deleted) over (partition by record_key order by dbt_valid_from) as was_deleted,
        count_if(dbt_is_deleted = 'False') over (
            partition by regexp_replace(upper(record_key), '[^A-Z0-9]+', ' ', 'g'), dbt_valid_from
        ) > 0 as is_held_otherwise
    from snapshots.college_records_seen

),

seen as (

    select
        record_key,
        case
            when is_gone then 'withdrawn' when was_deleted = 'True' then 'restored' else 'edited'
        end as edit_type
    from ordered
    where was_deleted is not null and not (is_gone and is_held_otherwise)

),

in_raw as (

    select distinct record_key, run_sequence, edit_type
    from marts.fct_portal_edit
    where
        dataset = '{COLLEGES}'
        and coalesce(field, '') not in ('id_projet', 'arr_libelle')
    qualify
        edit_type <> 'edited'
        or count_if(edit_type = 'restored') over (partition by record_key, run_sequence) = 0

),

counted as (

    select 'snapshot' as told_by, record_key, edit_type, count(*) as times from seen group by all
    union all
    select 'raw' as told_by, record_key, edit_type, count(*) as times from in_raw group by all

)

select record_key, edit_type, times, min(told_by) as told_by
from counted
group by record_key, edit_type, times
having count(*) = 1
order by all
"""


@pytest.mark.timeout(1200)
def test_snapshot_and_raw_agree(make_home: Callable[[str], Home]) -> None:
    """The sample corrects one address, takes records away, puts one back, rewords its labels."""
    home = make_home("agree")
    states = write_sample(home.path / "sample")
    for state in [*states, states[0]]:
        home.succeed("run", "--portal", state, "--dataset", COLLEGES, "--no-build")
        home.build("--select", "+college_records_seen")
    home.marts("fct_portal_edit")
    seen = dict(
        home.query("select dbt_is_deleted, count(*) from snapshots.college_records_seen group by 1")
    )
    # the first state; a name and an address corrected; one put back; two new years; the first again
    assert seen == {"False": 457 + 2 + 1 + 114 + 114 + 457, "True": 2 + 343 + 114 + 228}
    assert home.query(DISAGREEMENTS) == []
