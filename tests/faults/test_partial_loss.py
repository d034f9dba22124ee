"""A MongoDB that lost a part: an error before any write, then what docs/runbook.md prescribes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from pymongo.database import Database

from ingestion.registry import registry
from tests.faults.conftest import COLLEGES, FEW, Jobs, Store

pytestmark = pytest.mark.timeout(600)

TABLE = registry()[COLLEGES].table
TWO, THREE = 2, 3


def versions_in_raw(store: Store) -> set[tuple[Any, ...]]:
    """(table, key, run, hash) of all that raw holds."""
    return {
        (table, *row)
        for table in (registry()[dataset_id].table for dataset_id in FEW)
        for row in store.ask(f"select record_key, run_sequence, content_hash from raw.{table}")
    }


def all_versions(store: Store) -> list[int]:
    with store.mongodb() as database:
        return sorted(v["_id"] for v in database[TABLE].find({}, {"_id": 1}))


@pytest.fixture(scope="module")
def begun(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> Store:
    """One state loaded."""
    store = make_store()
    jobs.succeed(store, "run", datasets=FEW, portal=states[0])
    return store


def end_of(store: Store) -> SimpleNamespace:
    return SimpleNamespace(histories=store.histories(), raw=store.raw_by_rank())


@pytest.fixture(scope="module")
def loaded(jobs: Jobs, begun: Store, states: list[Path]) -> Iterator[SimpleNamespace]:
    """Two states loaded, and what the third leads to where nothing is lost."""
    store = begun.clone(begun.home.with_name(begun.home.name + "-loaded"))
    jobs.succeed(store, "run", datasets=FEW, portal=states[1])
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    jobs.succeed(undisturbed, "run", datasets=FEW, portal=states[2])
    yield SimpleNamespace(store=store, end=end_of(undisturbed))
    store.drop()
    undisturbed.drop()


@pytest.fixture(scope="module")
def waiting(jobs: Jobs, begun: Store, states: list[Path]) -> Iterator[SimpleNamespace]:
    """One state loaded and two more extracted: what MongoDB loses of them is nowhere else."""
    store = begun.clone(begun.home.with_name(begun.home.name + "-waiting"))
    for state in states[1:3]:
        jobs.succeed(store, "extract", datasets=FEW, portal=state)
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    jobs.succeed(undisturbed, "load", datasets=FEW)
    yield SimpleNamespace(store=store, end=end_of(undisturbed))
    store.drop()
    undisturbed.drop()


def lose_collection(store: Store) -> None:
    with store.mongodb() as database:
        database.drop_collection(TABLE)


def lose_version(store: Store, *, is_superseded: bool, of: int) -> dict[str, Any]:
    """Delete a held version of run ``of`` that a later run did, or did not, change; that one."""
    with store.mongodb() as database:
        versions = database[TABLE]
        later = versions.distinct("record_key", {"run_sequence": {"$gt": of}})
        which = {"$in" if is_superseded else "$nin": later}
        found = versions.find_one_and_delete(
            {"run_sequence": of, "is_withdrawn": False, "record_key": which},
            sort=[("record_key", 1)],
        )
    assert found
    return found


LOSSES: dict[str, Callable[[Store], object]] = {
    "a collection": lose_collection,
    "a superseded version": lambda store: lose_version(store, is_superseded=True, of=1),
    "a current version": lambda store: lose_version(store, is_superseded=False, of=TWO),
}


NOT_COMPLETE = "does not hold the versions its own ledger speaks of"


@pytest.mark.parametrize("what", LOSSES)
def test_mongodb_is_filled_from_raw_once_a_person_has_dropped_it(
    what: str,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    raw, held = store.raw(), versions_in_raw(store)
    LOSSES[what](store)
    left = all_versions(store)

    jobs.refuse(store, "run", NOT_COMPLETE, datasets=FEW, portal=states[2])
    jobs.refuse(store, "load", "do not agree", f"{COLLEGES}, run ", datasets=FEW)
    jobs.refuse(store, "replay", NOT_COMPLETE, datasets=FEW)
    assert store.raw() == raw
    assert all_versions(store) == left, "a version was written beside those that are gone"

    drop_database(store)
    jobs.succeed(store, "load", datasets=FEW)
    assert versions_in_raw(store) == held
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert end_of(store) == loaded.end


def drop_database(store: Store) -> None:
    with store.mongodb() as database:
        database.client.drop_database(store.database)


@pytest.mark.parametrize("is_superseded", [True, False])
@pytest.mark.parametrize("has_backup", [True, False])
def test_what_nobody_has_stops_everything_until_a_person_decides(
    is_superseded: bool,
    has_backup: bool,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    waiting: SimpleNamespace,
) -> None:
    store = cloned(waiting.store)
    raw, held = store.raw(), versions_in_raw(store)
    lost = lose_version(store, is_superseded=is_superseded, of=TWO if is_superseded else THREE)
    left = all_versions(store)

    for command in ("load", "run", "replay"):
        jobs.refuse(store, command, NOT_COMPLETE, datasets=FEW, portal=states[2])
    assert store.raw() == raw
    assert all_versions(store) == left

    with store.mongodb() as database:
        if has_backup:
            database[TABLE].insert_one(lost)
        else:
            say_what_is_left(database, lost)
    jobs.succeed(store, "load", datasets=FEW)
    assert versions_in_raw(store) >= held
    key = lost["record_key"]
    if has_backup:
        assert end_of(store) == waiting.end
    else:
        expected = waiting.end.histories[COLLEGES][key]
        version = (lost["content_hash"], lost["payload"], lost["is_withdrawn"])
        assert store.histories()[COLLEGES][key] == [v for v in expected if v != version]


def say_what_is_left(database: Database[dict[str, Any]], lost: dict[str, Any]) -> None:
    database["source_load"].update_one(
        {"run_sequence": lost["run_sequence"], "dataset": COLLEGES},
        {"$inc": {"rows_changed": -1, "rows_unchanged": 1}},
    )


def test_what_both_stores_lost_is_missed(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    lost = lose_version(store, is_superseded=False, of=TWO)
    with duckdb.connect(str(store.home / "warehouse.duckdb")) as connection:
        connection.execute(
            f"delete from raw.{TABLE} where record_key = ? and run_sequence = {TWO}",
            [lost["record_key"]],
        )
    held = versions_in_raw(store)
    jobs.refuse(store, "load", f"{COLLEGES}, run {TWO}: ", " in the ledger", datasets=FEW)
    job: dict[str, Any] = {"datasets": FEW, "portal": states[1], "options": {"force": True}}
    jobs.refuse(store, "extract", f"run {TWO} wrote ", **job)
    jobs.refuse(store, "replay", f"run {TWO} wrote ", datasets=FEW)
    assert versions_in_raw(store) == held

    with store.mongodb() as database:
        say_what_is_left(database, lost)
    jobs.succeed(store, "replay", datasets=FEW)
    assert versions_in_raw(store) == held
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_ledger_that_is_gone_or_older_than_the_versions(
    is_dropped: bool,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    loaded: SimpleNamespace,
) -> None:
    store = cloned(loaded.store)
    raw, left = store.raw(), all_versions(store)
    with store.mongodb() as database:
        database["source_load"].delete_many({} if is_dropped else {"run_sequence": TWO})
    gone = "nobody can tell which of them count"
    said = {"run": NOT_COMPLETE, "load": "knows nothing", "replay": NOT_COMPLETE}
    for command, words in said.items():
        words = gone if is_dropped else words
        jobs.refuse(store, command, words, datasets=FEW, portal=states[2])
    assert store.raw() == raw
    assert all_versions(store) == left

    drop_database(store)
    jobs.succeed(store, "run", datasets=FEW, portal=states[2])
    assert end_of(store) == loaded.end
