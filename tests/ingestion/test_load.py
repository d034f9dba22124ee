"""Hop 2 into DuckDB: exactly once, whatever a load before it left; both stores agree after it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ingestion import load as load_module
from ingestion.errors import LockedError, ReconciliationError, WarehouseError
from ingestion.reconcile import refill, replay
from ingestion.settings import Settings
from tests.ingestion.pulls import BOTH, COLLEGES, House, college, house, key

RAW = f"raw.{COLLEGES.table}"


@pytest.fixture
def our(settings: Settings) -> Iterator[House]:
    with house(settings) as opened:
        yield opened


def keys_and_runs(our: House) -> list[tuple[Any, ...]]:
    return our.raw(f"select record_key, run_sequence, is_withdrawn from {RAW} order by all")


def test_what_arrives(our: House) -> None:
    our.pull(college("A", rate=86.0, text='É"\n'), college("B"))
    our.pull(college("A", rate=86.0, text='É"\n'))
    report = our.load()
    assert (report.rows_appended, report.ledger_rows) == (3, 2)
    rows = our.raw(
        "select record_key, run_sequence, run_id, content_hash is null, payload, is_withdrawn,"
        f" cast(extracted_at as varchar) from {RAW} order by 1, 2"
    )
    ids = [entry["run_id"] for entry in our.store.entries()]
    at = "2026-03-01 23:30:15.123"
    assert rows == [
        (key("A"), 1, ids[0], False, college("A", rate=86.0, text='É"\n').decode(), False, at),
        (key("B"), 1, ids[0], False, college("B").decode(), False, at),
        (key("B"), 2, ids[1], True, None, True, at),
    ]
    assert our.raw(
        "select run_sequence, status, rows_received from raw._source_load order by 1"
    ) == [
        (1, "finished", 2),
        (2, "finished", 1),
    ]
    our.reconcile()
    assert report.newest_run_id == ids[1]


def test_a_run_that_changed_nothing_writes_nothing_and_its_row_travels_later(our: House) -> None:
    our.pull(college("A"))
    our.load()
    our.pull(college("A"))
    assert (our.load().rows_appended, our.load().ledger_rows) == (0, 0)
    our.pull(college("A"), college("B"))
    report = our.load()
    assert (report.rows_appended, report.ledger_rows) == (1, 2)
    our.reconcile()


def test_what_a_killed_load_left_goes_first(our: House) -> None:
    our.pull(college("A"))
    our.load()
    our.pull(college("A"), college("B"))
    with our.warehouse.connect(writable=True) as raw:
        raw.rows(f"insert into {RAW} (record_key, run_sequence) values ('half', 2)")
    our.load()
    assert keys_and_runs(our) == [(key("A"), 1, False), (key("B"), 2, False)]
    our.reconcile()


def test_rows_that_do_not_arrive_are_not_committed(
    our: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    our.pull(college("A"))
    with monkeypatch.context() as patched:
        patched.setattr(load_module, "_resource", lambda *_: [])
        with pytest.raises(WarehouseError):
            our.load()
    assert our.load().rows_appended == 1
    our.reconcile()


def test_who_lost_the_lease_commits_nothing(our: House, monkeypatch: pytest.MonkeyPatch) -> None:
    our.pull(college("A"))
    confirm, asked = our.lease.confirm, iter([None, None])

    def lost_at_the_commit() -> None:
        try:
            next(asked)
        except StopIteration:
            our.store.database["lease"].update_one({}, {"$set": {"token": "of another"}})
        confirm()

    monkeypatch.setattr(our.lease, "confirm", lost_at_the_commit)
    with pytest.raises(LockedError, match="lost the lease"):
        our.load()
    with our.warehouse.connect() as raw:
        assert raw.ledger() == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (f"delete from {RAW} where run_sequence = 1", "2 in MongoDB, 0 in raw"),
        (f"insert into {RAW} select * from {RAW}", "2 in MongoDB, 4 in raw"),
        (f"update {RAW} set content_hash = 'x' where record_key like '[\"A%'", "other versions"),
        (f"update {RAW} set payload = null where record_key like '[\"A%'", "other versions"),
    ],
)
def test_a_difference_is_named_and_a_replay_mends_it(our: House, change: str, told: str) -> None:
    our.pull(college("A"), college("B"))
    our.load()
    whole = keys_and_runs(our)
    with our.warehouse.connect(writable=True) as raw:
        raw.rows(change)
    with pytest.raises(ReconciliationError, match=f"{COLLEGES.dataset_id}, run 1: .*{told}"):
        our.reconcile()
    replay(our.store, our.lease, our.warehouse, BOTH, our.home)
    our.reconcile()
    assert keys_and_runs(our) == whole


def test_the_warehouse_of_another_mongodb_is_refused(our: House) -> None:
    our.pull(college("A"))
    our.load()
    our.store.ledger.update_many({}, {"$set": {"run_id": "another"}})
    our.pull(college("B"))
    for command in (our.load, lambda: replay(our.store, our.lease, our.warehouse, BOTH, our.home)):
        with pytest.raises(ReconciliationError, match="knows nothing"):
            command()
    assert keys_and_runs(our) == [(key("A"), 1, False)]


def test_an_empty_mongodb_is_filled_from_raw(our: House) -> None:
    our.pull(college("A"), college("B", **{"a.b": 1}))
    our.pull(college("A", x=1))
    our.load()
    versions = our.store.database[COLLEGES.table]
    before = sorted(
        ({**v, "_id": v["_id"] >> 32} for v in versions.find()),
        key=lambda v: (v["_id"], v["record_key"]),
    )
    for name in our.store.database.list_collection_names():
        if name != "lease":
            our.store.database.drop_collection(name)
    assert refill(our.store, our.warehouse, BOTH) == 4
    after = sorted(
        ({**v, "_id": v["_id"] >> 32} for v in versions.find()),
        key=lambda v: (v["_id"], v["record_key"]),
    )
    assert after == before
    our.reconcile()
    assert our.pull(college("A", x=1)).counts["rows_unchanged"] == 1
    assert [e["run_sequence"] for e in our.store.entries()] == [1, 2, 3]


def test_who_holds_the_file_is_told(our: House) -> None:
    our.pull(college("A"))
    our.load()
    path = our.home / "warehouse.duckdb"
    code = (
        f"import duckdb, time; c = duckdb.connect({str(path)!r}, read_only=True); print();"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        try:
            our.reconcile()  # reading beside a reader
            said = f"in use by process {holder.pid} "
            with pytest.raises(WarehouseError, match=said), our.warehouse.connect(writable=True):
                pass
        finally:
            holder.kill()
