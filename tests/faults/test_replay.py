"""Raw that differs from MongoDB: the run fails before dbt, `colleges replay` mends it.

The commands as a person types them, and a replay that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from ingestion.registry import registry
from tests.faults.conftest import COLLEGES, FEW, Jobs, Store
from tests.faults.test_kill import middle
from tests.programs import programs

pytestmark = pytest.mark.timeout(900)

TABLE = registry()[COLLEGES].table
KILLED = {
    "before sql: delete": "replay",
    "after sql: delete": "load",
    "before sql: drop": "load",
    "after sql: drop": "load",
    "before Pipeline.load": "load",
    "after DuckDbCopyJob.run": "load",
    "after Pipeline.load": "load",
    "before sql: insert ledger": "load",
    "after sql: insert ledger": "load",
}
"""Kind of event → the command that completes what was cut off there: a replay always does, and any
load once raw's ledger rows are gone."""

BUILD = (
    *("build", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious"),
    *("--select", "stg_source_loads", "stg_record_version_counts", "fct_source_load"),
)


def damage(store: Store) -> None:
    """One row of raw gone, one with another hash, one that was never in MongoDB."""
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        keys = connection.execute(
            f"select record_key from raw.{TABLE} where run_sequence = 1 order by record_key limit 2"
        ).fetchall()
        (gone,), (other,) = keys
        table = f"raw.{TABLE}"
        of_run = "run_sequence = 1 and record_key = ?"
        connection.execute(
            f"insert into {table} select * replace ('[\"ADDED\"]' as record_key) from {table}"
            f" where {of_run}",
            [gone],
        )
        connection.execute(f"delete from {table} where {of_run}", [gone])
        connection.execute(
            f"update {table} set content_hash = repeat('0', 64) where {of_run}", [other]
        )


def without_ledger(raw: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The versions alone: a replay also brings the ledger rows of runs that changed nothing."""
    return {table: rows for table, rows in raw.items() if table != "_source_load"}


def test_raw_is_damaged(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path], tmp_path: Path
) -> None:
    store = make_store()
    jobs.succeed(store, "run", portal=states[0])
    whole = store.raw()
    damage(store)
    damaged = store.raw()
    dbt = tmp_path / "dbt"

    def colleges(*words: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {
            "COLLEGES_HOME": str(store.home),
            "COLLEGES_TARGET": "duckdb",
            "MONGODB_URI": store.uri,
            "DBT_TARGET_PATH": str(dbt / "target"),
            "DBT_LOG_PATH": str(dbt / "logs"),
        }
        return programs.run(["-m", "ingestion.cli", *words], environ, timeout_s=600)

    run = ("run", "--portal", str(states[0]))
    failed = colleges(*run)
    assert failed.returncode == 1, failed.stderr
    assert "MongoDB and the warehouse's raw schema do not agree" in failed.stderr
    assert f"{COLLEGES}, run 1: other versions" in failed.stderr
    assert "`colleges replay`" in failed.stderr
    assert not dbt.exists(), "dbt was started"
    assert store.raw() == damaged

    replayed = colleges("replay")
    assert replayed.returncode == 0, replayed.stderr
    assert without_ledger(store.raw()) == without_ledger(whole)

    succeeded = colleges(*run, "--no-build")
    assert succeeded.returncode == 0, succeeded.stderr + succeeded.stdout


@pytest.mark.parametrize("change", ["delete from {}", "insert into {0} select * from {0}"])
def test_dbt_sees_what_raw_lacks_and_what_it_has_twice(
    change: str,
    cloned: Callable[[Store], Store],
    broken: SimpleNamespace,
) -> None:
    """Whoever builds without a run before: the counts are in the mart, and a test fails on them."""
    store = cloned(broken.before)
    whole = store.dbt(*BUILD)
    assert whole.exit_code == 0, whole.log[-6000:]
    assert whole.statuses["versions_of_each_load_reach_raw"] == "pass"
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        connection.execute(
            f"{change.format(f'raw.{TABLE}')} where run_sequence = 2 and is_withdrawn"
        )
    failed = store.dbt(*BUILD)
    assert failed.statuses["versions_of_each_load_reach_raw"] == "fail"
    ((expected, found, withdrawn),) = store.ask(
        "select tombstones_written, tombstones_in_raw, rows_withdrawn"
        f" from marts.fct_source_load where dataset = '{COLLEGES}' and run_sequence = 2"
    )
    assert expected == withdrawn > 0
    assert found == (0 if change.startswith("delete") else 2 * expected)


def test_a_build_after_a_load_that_was_cut_off_fails(
    cloned: Callable[[Store], Store], broken: SimpleNamespace
) -> None:
    """Its versions are in raw and its ledger rows are not."""
    store = cloned(broken.before)
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        connection.execute("delete from raw._source_load where run_sequence = 2")
    failed = store.dbt(*BUILD)
    assert failed.statuses["versions_of_each_load_reach_raw"] == "fail"


@pytest.fixture(scope="module")
def broken(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path]
) -> Iterator[SimpleNamespace]:
    """Two states loaded; then raw was damaged."""
    before = make_store()
    for state in states[:2]:
        jobs.succeed(before, "run", datasets=FEW, portal=state)
    store = before.clone(before.home.with_name(before.home.name + "-broken"))
    damage(store)
    undisturbed = before.clone(before.home.with_name(before.home.name + "-undisturbed"))
    jobs.succeed(undisturbed, "run", datasets=FEW, portal=states[2])
    replayed = store.clone(store.home.with_name(store.home.name + "-replayed"))
    events = jobs.succeed(replayed, "replay", datasets=FEW)["events"]
    assert (replayed.histories(), replayed.raw()) == (before.histories(), before.raw())
    yield SimpleNamespace(
        before=before,
        store=store,
        events=events,
        raw=before.raw(),
        histories=undisturbed.histories(),
        raw_in_the_end=undisturbed.raw(),
    )
    for made in (store, undisturbed, replayed):
        made.drop()


@pytest.mark.parametrize("kind", KILLED)
def test_a_replay_is_killed(
    kind: str,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    broken: SimpleNamespace,
) -> None:
    store = cloned(broken.store)
    killed = jobs.run(store, "replay", datasets=FEW, kill_at=middle(broken.events, kind))
    assert killed["signal"] == signal.SIGKILL, killed
    assert killed["events"][-1] == kind

    jobs.succeed(store, KILLED[kind], datasets=FEW)
    assert store.raw() == broken.raw

    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert store.histories() == broken.histories
    assert store.raw() == broken.raw_in_the_end
    assert store.leftovers() == 0
