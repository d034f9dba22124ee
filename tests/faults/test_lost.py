"""A store, a file or a directory that is gone, old, or of another time: the same end state."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from pymongo import MongoClient

from ingestion.registry import registry
from tests.faults.conftest import COLLEGES, FEW, Jobs, Store, spread

pytestmark = pytest.mark.timeout(600)

RESTORE_POINTS = 5


@pytest.fixture(scope="module")
def loaded(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> SimpleNamespace:
    """Two states loaded, and what the third leads to where nothing goes wrong."""
    store = make_store()
    jobs.succeed(store, "run", datasets=FEW, portal=states[0])
    first_dlt = store.home.with_name(store.home.name + "-dlt-of-the-first-run")
    shutil.copytree(store.home / "dlt", first_dlt)
    jobs.succeed(store, "run", datasets=FEW, portal=states[1])
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    jobs.succeed(undisturbed, "run", datasets=FEW, portal=states[2])
    reference = SimpleNamespace(
        store=store,
        histories=undisturbed.histories(),
        versions=versions(undisturbed),
        raw=undisturbed.raw(),
        dlt={"lost": None, "stale": first_dlt, "ahead": dlt_ahead(jobs, store, states)},
    )
    undisturbed.drop()
    return reference


def dlt_ahead(jobs: Jobs, like: Store, states: list[Path]) -> Path:
    """dlt's directory with packages of other states, normalized and not loaded, in either hop."""
    store = like.clone(like.home.with_name(like.home.name + "-ahead"))
    jobs.succeed(store, "extract", datasets=FEW, portal=states[3])
    kill = {"datasets": FEW, "kill_at": ("after Pipeline.normalize", 1)}
    for job in ({"command": "load"}, {"command": "extract", "portal": states[2]}):
        killed = jobs.run(store, **job, **kill)
        assert killed["signal"] == signal.SIGKILL, killed
    pending = {path.parts[-6] for path in store.home.glob("dlt/*/load/normalized/*/new_jobs/*")}
    assert len(pending) == 2, f"a package for MongoDB and one for the warehouse: {pending}"
    directory = like.home.with_name(like.home.name + "-dlt-ahead")
    shutil.copytree(store.home / "dlt", directory)
    store.drop()
    return directory


def database(store: Store) -> MongoClient[dict[str, Any]]:
    return MongoClient[dict[str, Any]](store.uri, tz_aware=True)


def versions(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Collection of versions, where it is not empty → its documents, whole.

    Only a version's number in its run is left out: the warehouse does not know it.
    """
    with database(store) as client:
        mongo = client[store.database]
        found = {
            name: [document | {"_id": document["_id"] >> 32} for document in mongo[name].find()]
            for name in mongo.list_collection_names()
            if "__" in name
        }
    return {
        name: sorted(documents, key=lambda document: (document["_id"], document["record_key"]))
        for name, documents in found.items()
        if documents
    }


def same_but_times(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    def bare(found: dict[str, Any]) -> Any:
        return {
            name: [{k: v for k, v in row.items() if k != "extracted_at"} for row in rows]
            for name, rows in found.items()
        }

    return bool(bare(mine) == bare(theirs))


def empty_mongodb(store: Store) -> None:
    with database(store) as client:
        client.drop_database(store.database)


def test_mongodb_emptied(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    before = versions(store)
    empty_mongodb(store)

    told = jobs.succeed(store, "load", datasets=FEW)["log"]
    assert "MongoDB was filled from the warehouse" in told
    assert versions(store) == before, "every document, its times and the parsed record included"

    told = jobs.succeed(store, "run", datasets=FEW, portal=states[2])["log"]
    assert "was filled" not in told
    assert "run 3" in told
    assert store.histories() == loaded.histories
    assert same_but_times(versions(store), loaded.versions)
    assert store.raw() == loaded.raw


def test_mongodb_emptied_before_a_run(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    """The pull that follows is compared with what was restored: it is no first pull."""
    store = cloned(loaded.store)
    empty_mongodb(store)
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert store.histories() == loaded.histories
    assert store.raw() == loaded.raw


@pytest.mark.parametrize("nth", range(RESTORE_POINTS))
def test_a_refill_that_is_killed_is_begun_again(
    nth: int,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    loaded: SimpleNamespace,
) -> None:
    store, undisturbed = cloned(loaded.store), cloned(loaded.store)
    before = versions(store)
    for each in (store, undisturbed):
        empty_mongodb(each)
    events = jobs.succeed(undisturbed, "load", datasets=FEW, wire="extract")["events"]
    last = events.index("after renameCollection source_load_coming") + 1
    kill_at = spread(last, RESTORE_POINTS, nth)
    killed = jobs.run(store, "load", datasets=FEW, wire="extract", kill_at=kill_at)
    jobs.succeed(store, "load", datasets=FEW)
    assert killed["signal"] == signal.SIGKILL, killed["log"]
    assert versions(store) == before, killed["events"][-1]


def test_a_damaged_warehouse_is_not_filled_from(
    jobs: Jobs, cloned: Callable[[Store], Store], loaded: SimpleNamespace
) -> None:
    store = cloned(loaded.store)
    empty_mongodb(store)
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        table = f"raw.{registry()[COLLEGES].table}"
        connection.execute(
            f"delete from {table} where record_key = (select min(record_key) from {table})"
        )
    for _ in range(2):
        jobs.refuse(store, "load", "cannot be filled from the warehouse", datasets=FEW)
    assert not any(store.histories().values())


def test_the_warehouse_emptied(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    (store.home / "warehouse.duckdb").unlink()
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert store.histories() == loaded.histories
    assert store.raw() == loaded.raw


@pytest.mark.parametrize("what", ["lost", "stale", "ahead"])
def test_dlts_local_state(
    what: str,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    shutil.rmtree(store.home / "dlt")
    if loaded.dlt[what]:
        shutil.copytree(loaded.dlt[what], store.home / "dlt")
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert store.histories() == loaded.histories
    assert store.raw() == loaded.raw


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_clock_that_is_wrong(
    days: int,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    """Years back, then right again; years ahead, then back again."""
    store = cloned(loaded.store)
    jobs.succeed(store, "run", datasets=FEW, portal=states[2], clock_days=days)
    assert store.histories() == loaded.histories
    assert store.raw() == loaded.raw
    jobs.succeed(store, "run", datasets=FEW, portal=states[1])
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    latest = {
        dataset: {key: history[-1] for key, history in histories.items()}
        for dataset, histories in store.histories().items()
    }
    assert latest == {
        dataset: {key: history[-1] for key, history in histories.items()}
        for dataset, histories in loaded.histories.items()
    }
