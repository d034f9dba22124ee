"""A store, a file or a directory that is gone, old, or of another time: the same end state."""

from __future__ import annotations

import json
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
        dlt={"lost": None, "stale": first_dlt, "ahead": dlt_ahead(jobs, store, states[3])},
    )
    undisturbed.drop()
    return reference


def dlt_ahead(jobs: Jobs, like: Store, state: Path) -> Path:
    """dlt's directory with packages of another state, normalized and not loaded, in either hop."""
    store = like.clone(like.home.with_name(like.home.name + "-ahead"))
    jobs.succeed(store, "extract", datasets=FEW, portal=state)
    kill = {"datasets": FEW, "kill_at": ("after Pipeline.normalize", 1)}
    for job in ({"command": "load"}, {"command": "extract", "portal": state}):
        killed = jobs.run(store, options={"force": True}, **job, **kill)
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

    Only a version's place in its load is left out: the warehouse does not know it.
    """

    def without_place(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"_id": document["_id"][:8] + document["_id"][12:]}

    with database(store) as client:
        mongo = client[store.database]
        return {
            name: sorted(map(without_place, documents), key=lambda document: document["_id"])
            for name in mongo.list_collection_names()
            if "__" in name and (documents := list(mongo[name].find()))
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
    assert "MongoDB was rebuilt from the warehouse" in told
    assert versions(store) == before, "every document, its times and the parsed record included"

    told = jobs.succeed(store, "run", datasets=FEW, portal=states[2])["log"]
    assert "rebuilt" not in told
    assert "run 3" in told
    assert store.histories() == loaded.histories
    assert same_but_times(versions(store), loaded.versions)
    assert store.raw() == loaded.raw
    with database(store) as client:
        identity = client[store.database]["store"].find_one({"_id": "store"})
        assert identity is not None
        assert identity["origin"] == "synthetic"
        assert "is_restoring" not in identity


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
def test_a_restore_that_is_killed_is_begun_again(
    nth: int,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    before = versions(store)
    empty_mongodb(store)
    # prepare, lock, restore and its two ends: far fewer events than this where nothing is pulled.
    events = spread(36, RESTORE_POINTS, nth)
    killed = jobs.run(store, "load", datasets=FEW, wire="extract", kill_at=events)
    jobs.succeed(store, "load", datasets=FEW)
    assert killed["signal"] == signal.SIGKILL, killed["log"]
    assert versions(store) == before, killed["events"][-1]


def test_a_damaged_warehouse_is_not_restored_from(
    jobs: Jobs, cloned: Callable[[Store], Store], loaded: SimpleNamespace
) -> None:
    store = cloned(loaded.store)
    empty_mongodb(store)
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        connection.execute(
            f"update raw.{registry()[COLLEGES].table}"
            " set payload = replace(payload, '\"adresse\":', '\"address\":')"
        )
    for _ in range(2):
        jobs.refuse(store, "load", "cannot be rebuilt from the warehouse", datasets=FEW)
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


def test_a_store_of_yesterdays_code(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    """Ids of both older layouts, the parsed copy beside the text, entries without what was added
    since, and one with what this version never knew."""
    later = ("drift", "profile", "profile_changes", "portal", "is_withdrawal_refused")
    store = cloned(loaded.store)
    with database(store) as client:
        mongo = client[store.database]
        for run in list(mongo["runs"].find()):
            gone = {f"loads.{dataset}.{name}": "" for dataset in run["loads"] for name in later}
            gone |= dict.fromkeys(("code_version", "purpose", "host", "pid"), "")
            mongo["runs"].update_one(
                {"_id": run["_id"]}, {"$unset": gone, "$set": {"unheard_of": 1}}
            )
        old = {name: [as_of_old(v) for v in mongo[name].find()] for name in versions(store)}
        for name, documents in old.items():
            mongo[name].delete_many({})
            mongo[name].insert_many(documents)
        assert {len(v["_id"]) for documents in old.values() for v in documents} == {24, 40}
        mongo["store"].update_one({"_id": "store"}, {"$unset": {"id_layout": ""}})

    # Killed in the middle of giving new ids, once.
    job = {"datasets": FEW, "portal": states[2]}
    killed = jobs.run(store, "run", wire="extract", kill_at=("before delete versions", 2), **job)
    assert killed["signal"] == signal.SIGKILL, killed
    assert "of older code new ids" in killed["log"]
    jobs.succeed(store, "run", **job)

    assert store.histories() == loaded.histories
    assert store.raw() == loaded.raw
    assert same_but_times(without_copies(versions(store)), loaded.versions)


def as_of_old(version: dict[str, Any]) -> dict[str, Any]:
    """A version as code before wrote it: the first run's under the oldest ids."""
    length = 24 if version["run_sequence"] == 1 else 40
    copy = version["payload"] and json.loads(version["payload"])
    return version | {"_id": (version["_id"][:8] + version["_id"][12:])[:length], "record": copy}


def without_copies(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without the parsed record, which this version leaves where it finds it."""
    return {
        name: [{k: v for k, v in version.items() if k != "record"} for version in of_one]
        for name, of_one in found.items()
    }
