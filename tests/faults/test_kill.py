"""``kill -9`` at every kind of boundary of extract and of load: the same end as without one.

One kill a kind, at the middle one of its events. What lies between the answer to one write and the
sending of the next is nothing that lasts, so most kinds of write are killed on one side alone.
"""

from __future__ import annotations

import base64
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from ingestion.registry import registry
from tests.faults.conftest import COLLEGES, Jobs, Store, rewritten

IPS = "fr-en-ips-colleges-ap2023"
TWO = [COLLEGES, IPS]
"""What the killed run pulls: the first has all that may happen to a record, a bad line that takes
one document of the quarantine and one that takes two; at the middle of two datasets, one is done
and one is to come."""
PART_BYTES = 100_000
"""In one such document. That the pipeline's own limit fits in MongoDB is tested in test_records.py;
here a line beyond it would be read, compressed and kept eighty times."""

EXTRACT = (
    "after update lease",
    "after createIndexes source_load",
    "after insert source_load",
    "before PortalClient.spool",
    "after PortalClient.spool",
    "after createIndexes versions",
    "after update quarantine",
    "after Pipeline.extract",
    "after Pipeline.normalize",
    "before Pipeline.load",
    "before insert versions",
    "after insert versions",
    "after Pipeline.load",
    "after insert tombstones",
    "before ledger: finished",
    "after ledger: finished",
    "after delete builds",
    "after insert builds",
    "after delete lease",
)
LOAD = (
    "before sql: select",
    "before sql: delete",
    "after sql: delete",
    "after sql: drop",
    "after Pipeline.extract",
    "after Pipeline.normalize",
    "before Pipeline.load",
    "before sql: create",
    "after sql: create",
    "after sql: insert",
    "before DuckDbSqlClient.commit_transaction",
    "after DuckDbSqlClient.commit_transaction",
    "before DuckDbCopyJob.run",
    "after DuckDbCopyJob.run",
    "after Pipeline.load",
    "before sql: insert ledger",
    "after sql: insert ledger",
)
BUILT = ("after ledger: finished", "before DuckDbSqlClient.commit_transaction")
"""Where the marts are compared, too."""
MODELS = (
    "marts.fct_portal_edit",
    "marts.fct_college_school_year",
    "snapshots.college_records_seen",
)
PULL: dict[str, Any] = {"datasets": TWO, "part_bytes": PART_BYTES}
PARTS = (0.05, 0.3, 0.5, 0.7)

pytestmark = pytest.mark.timeout(600)


def build(store: Store) -> None:
    store.build(*(name.partition(".")[2] for name in MODELS))


def marts(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    return {name: store.model(name) for name in MODELS}


def middle(events: list[str], kind: str) -> tuple[str, int]:
    """The middle event of a kind, for ``kill_at``."""
    count = Counter(events)[kind]
    assert count, f"no event `{kind}` in an undisturbed run: {sorted(set(events))}"
    return kind, (count + 1) // 2


@pytest.fixture(scope="module")
def third(states: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The third state: two records that are stored have become bad, one of them large."""

    def key(line: bytes) -> tuple[str, str]:
        record = json.loads(line)
        return record["libelle"], record["annee_scol"]

    (second,) = states[1].glob(f"*/{COLLEGES}/records.jsonl")
    stored = {key(line) for line in second.read_bytes().splitlines()}

    def spoil(lines: list[bytes]) -> list[bytes]:
        first, other = [line for line in lines if key(line) in stored][:2]
        rest = [line for line in lines if line not in (first, other)]
        large = base64.b64encode(random.Random(1).randbytes(3 * PART_BYTES // 2))
        return [first[:-1] + b', "x": NaN}', other[:-1] + b', "x": "%b", "y": NaN}' % large, *rest]

    return rewritten(states[2], tmp_path_factory.mktemp("third") / "state", COLLEGES, spoil)


@pytest.fixture(scope="module")
def begun(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> Store:
    """One state loaded and built, another one extracted."""
    store = make_store()
    jobs.succeed(store, "run", portal=states[0])
    build(store)
    jobs.succeed(store, "extract", portal=states[1], **PULL)
    return store


@pytest.fixture(scope="module")
def before_extract(jobs: Jobs, begun: Store, third: Path) -> Iterator[SimpleNamespace]:
    """Two states loaded; the third brings new, changed, withdrawn, restored and bad records."""
    store = begun.clone(begun.home.with_name(begun.home.name + "-loaded"))
    jobs.succeed(store, "load")
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    started = time.monotonic()
    pull = jobs.succeed(undisturbed, "run", portal=third, wire="extract", **PULL)
    seconds = time.monotonic() - started
    counts = pull["results"][COLLEGES]["counts"]
    assert all(
        counts[f"rows_{what}"]
        for what in ("new", "changed", "restored", "withdrawn", "quarantined")
    ), counts
    build(undisturbed)
    yield SimpleNamespace(
        histories=undisturbed.histories(),
        quarantine=undisturbed.quarantine(),
        raw=undisturbed.raw_by_rank(),
        marts=marts(undisturbed),
        events=pull["events"],
        seconds=seconds,
        store=store,
    )
    store.drop()
    undisturbed.drop()


@pytest.fixture(scope="module")
def before_load(jobs: Jobs, begun: Store, third: Path) -> Iterator[SimpleNamespace]:
    """One state loaded, two more waiting: rows to remove, tables to make, rows to append."""
    store = begun.clone(begun.home.with_name(begun.home.name + "-waiting"))
    jobs.succeed(store, "extract", portal=third, **PULL)
    # What a load leaves that is killed before its commit.
    job = {"datasets": [COLLEGES], "kill_at": ("before sql: insert ledger", 1)}
    assert jobs.run(store, "load", **job)["signal"] == signal.SIGKILL
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        # As if the dataset were new to the registry, and dlt to this warehouse.
        connection.execute(f"drop table raw.{registry()[IPS].table}")
        connection.execute(f"delete from raw._source_load where dataset = '{IPS}'")
        for table in ("_dlt_version", "_dlt_loads", "_dlt_pipeline_state"):
            connection.execute(f"drop table if exists raw.{table}")
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    load = jobs.succeed(undisturbed, "load")
    build(undisturbed)
    yield SimpleNamespace(
        raw=undisturbed.raw(), marts=marts(undisturbed), events=load["events"], store=store
    )
    store.drop()
    undisturbed.drop()


def test_every_kind_of_boundary_is_killed_at(
    before_extract: SimpleNamespace, before_load: SimpleNamespace
) -> None:
    """A new kind of step has to be added to the lists above."""

    def steps(events: Any) -> set[str]:
        return {event.partition(" ")[2] for event in events}

    assert steps(before_extract.events) == steps(EXTRACT)
    assert steps(before_load.events) == steps(LOAD)


@pytest.mark.parametrize("kind", EXTRACT)
def test_extract_killed(
    kind: str,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    third: Path,
    before_extract: SimpleNamespace,
) -> None:
    store = cloned(before_extract.store)
    job = {"portal": third, "wire": "extract", **PULL}
    killed = jobs.run(store, "run", kill_at=middle(before_extract.events, kind), **job)
    assert killed["signal"] == signal.SIGKILL, killed
    assert killed["events"][-1] == kind

    jobs.succeed(store, "run", **job)  # reconciles

    is_as_undisturbed(store, before_extract)
    if kind in BUILT:
        build(store)
        assert marts(store) == before_extract.marts


def is_as_undisturbed(store: Store, undisturbed: SimpleNamespace) -> None:
    assert store.histories() == undisturbed.histories
    assert store.leftovers() == 0
    assert store.quarantine() == undisturbed.quarantine
    assert store.raw_by_rank() == undisturbed.raw


@pytest.mark.parametrize("kind", LOAD)
def test_load_killed(
    kind: str,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    before_load: SimpleNamespace,
) -> None:
    store = cloned(before_load.store)
    killed = jobs.run(store, "load", kill_at=middle(before_load.events, kind))
    assert killed["signal"] == signal.SIGKILL, killed

    jobs.succeed(store, "load")

    assert store.raw() == before_load.raw
    if kind in BUILT:
        build(store)
        assert marts(store) == before_load.marts


@pytest.mark.parametrize("part", PARTS)
def test_run_killed_between_boundaries(
    part: float,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    third: Path,
    before_extract: SimpleNamespace,
) -> None:
    """At a time, not at a boundary: in the middle of whatever goes on then, twice in a row."""
    job = {"portal": third, **PULL}
    delay_s = part * before_extract.seconds
    for _ in range(4):
        store = cloned(before_extract.store)
        killed = jobs.run(store, "run", kill_after_s=delay_s, **job)
        if killed["signal"]:
            break
        delay_s /= 2  # the machine has become that much faster
    assert killed["signal"] == signal.SIGKILL, killed
    jobs.run(store, "run", kill_after_s=delay_s * 1.3, **job)

    jobs.succeed(store, "run", **job)

    is_as_undisturbed(store, before_extract)
