"""The document store against a real mongod: versions, commits, leftovers, quarantine, lock."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson import Int64
from pymongo import MongoClient
from pymongo.database import Database

from ingestion import document_store as module
from ingestion import store_lock
from ingestion.canonical import MAX_KEY_BYTES, MAX_RECORD_BYTES
from ingestion.document_store import (
    DocumentStore,
    Load,
    Page,
    PageCounts,
    Run,
)
from ingestion.errors import LockedError, MixedOriginError, StoreError
from ingestion.mongod import EmbeddedMongod, connect, find_mongod
from ingestion.registry import Dataset, Portal
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.store_lock import LEASE_S, StoreLock
from ingestion.version_ids import ID, ID_LAYOUT, KeyDigests, digest, version_id

SCHOOLS = Dataset(
    dataset_id="invented-schools",
    portal=Portal("a_portal", "https://portal.invalid"),
    title="Invented schools",
    publisher="Nobody",
    licence="none",
    where=None,
    key=("name",),
    fields={"name": ("text",), "size": ("int",)},
    volume_floor=1,
)
SECTORS = replace(SCHOOLS, dataset_id="invented-sectors")

Record = tuple[str, str, bytes]


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> DocumentStore:
    prepared = DocumentStore(database)
    prepared.prepare([SCHOOLS, SECTORS])
    return prepared


def json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def record(name: str, size: Any) -> Record:
    payload = orjson.dumps({"name": name, "size": size})
    return json_text([name]), hashlib.sha256(payload).hexdigest(), payload


def begin(store: DocumentStore) -> tuple[Run, Load]:
    run = store.begin_run(code_version="test")
    return run, store.begin_load(run, SCHOOLS)


def commit(store: DocumentStore, load: Load, counts: PageCounts, withdrawn: int = 0) -> None:
    received = sum(counts.as_ledger().values())
    store.commit_load(
        load,
        rows_expected=received,
        rows_received=received,
        **counts.as_ledger(),
        rows_withdrawn=withdrawn,
        is_withdrawal_refused=False,
        drift=[],
        portal={"data_processed": "2026-11-01T08:00:00+01:00", "is_synthetic": True},
        profile={"name": {"nulls": 0}},
    )


def pull(store: DocumentStore, state: Mapping[str, Any]) -> tuple[int, dict[str, int]]:
    """One whole run that finds ``state`` (name → size) at the portal: (sequence, counts)."""
    run, load = begin(store)
    records = [record(name, size) for name, size in state.items()]
    counts = store.write_page(load, Page.of(records))
    seen = KeyDigests()
    seen.add([key for key, _, _ in records])
    withdrawn = store.withdraw_missing(load, seen)
    commit(store, load, counts, withdrawn)
    store.finish_run(run, "finished")
    moved = {name: n for name, n in vars(counts).items() if n}
    return run.sequence, moved | ({"withdrawn": withdrawn} if withdrawn else {})


def versions(store: DocumentStore, **options: Any) -> list[tuple[str, int, int | None]]:
    """What hop 2 reads: (name, run sequence, size or None for a tombstone)."""
    return [
        (
            orjson.loads(row["record_key"])[0],
            row["run_sequence"],
            None if row["is_withdrawn"] else orjson.loads(row["payload"])["size"],
        )
        for batch in store.version_batches(SCHOOLS, **options)
        for row in batch.to_pylist()
    ]


def present(store: DocumentStore) -> dict[str, str]:
    """Name → content hash of every present record, as any reader of the collection finds them."""
    finished = store.finished_loads(SCHOOLS)
    found = {}
    for version in store.database[SCHOOLS.table].find(
        {"run_sequence": {"$in": finished}}, sort=[("run_sequence", 1)]
    ):
        found[orjson.loads(version["record_key"])[0]] = version["content_hash"]
    return {name: content for name, content in found.items() if content is not None}


# -- versions --------------------------------------------------------------------------------------


def test_every_version_is_kept(store: DocumentStore) -> None:
    story = [
        ({"a": 1, "b": 1, "c": 1}, {"new": 3}),
        ({"a": 1, "b": 2}, {"changed": 1, "unchanged": 1, "withdrawn": 1}),
        ({"a": 1, "b": 2, "c": 1}, {"unchanged": 2, "restored": 1}),
        ({"a": 1, "c": 3}, {"unchanged": 1, "changed": 1, "withdrawn": 1}),
        ({"a": 1, "c": 3}, {"unchanged": 2}),
        ({"a": 1, "b": 9, "c": 3}, {"unchanged": 2, "restored": 1}),
    ]
    first = pull(store, story[0][0])[0]
    for number, (state, expected) in enumerate(story[1:], start=1):
        assert pull(store, state) == (first + number, expected)
        last = store.last_finished_load(SCHOOLS)
        assert last is not None
        assert last["rows_present"] == store.present_count(SCHOOLS) == len(state)
        assert present(store) == {name: record(name, size)[1] for name, size in state.items()}
    assert sorted(versions(store)) == [
        ("a", first, 1),
        ("b", first, 1), ("b", first + 1, 2), ("b", first + 3, None), ("b", first + 5, 9),
        ("c", first, 1), ("c", first + 1, None), ("c", first + 2, 1), ("c", first + 3, 3),
    ]  # fmt: skip


def test_a_version_is_what_was_received(store: DocumentStore) -> None:
    payload = '{"size": 1.50, "name":"Zoë", "none":null, "é":[{"x":-0.0}]}'.encode()
    run, load = begin(store)
    load.extracted_at = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    commit(store, load, store.write_page(load, Page.of([('["Zoë"]', "f" * 64, payload)])))
    (found,) = store.database[SCHOOLS.table].find()
    assert found.pop("_id") == b"".join(
        [run.sequence.to_bytes(8, "big"), bytes(4), digest('["Zoë"]'), b"\xff" * 16]
    )
    assert found == {
        "record_key": '["Zoë"]',
        "run_sequence": run.sequence,
        "content_hash": "f" * 64,
        "payload": payload.decode(),
        "is_withdrawn": False,
        "extracted_at": load.extracted_at,
    }
    (batch,) = store.version_batches(SCHOOLS)
    assert str(batch.schema).splitlines() == [
        "record_key: string", "run_sequence: int64", "content_hash: string", "payload: string",
        "is_withdrawn: bool", "extracted_at: timestamp[ms, tz=UTC]",
    ]  # fmt: skip
    (row,) = batch.to_pylist()
    assert row == {name: found[name] for name in row}
    for collection, name in ((SCHOOLS.table, "run_sequence"), ("runs", "_id")):
        assert store.database[collection].count_documents({name: {"$type": "long"}}) == 1


def test_the_largest_record_is_stored_and_read_back(store: DocumentStore) -> None:
    payload = b'{"name":"' + b"x" * (MAX_RECORD_BYTES - 11) + b'"}'
    assert len(payload) == MAX_RECORD_BYTES
    key = json_text(["k" * (MAX_KEY_BYTES - 4)])
    _, load = begin(store)
    commit(store, load, store.write_page(load, Page.of([(key, "f" * 64, payload), record("a", 1)])))
    found = {
        row["record_key"]: row["payload"]
        for batch in store.version_batches(SCHOOLS)
        for row in batch.to_pylist()
    }
    assert found[key].encode() == payload
    assert len(found) == 2


def test_versions_of_older_code_that_carry_a_parsed_record_count_the_same(
    store: DocumentStore,
) -> None:
    first, _ = pull(store, {"a": 1, "b": 1})
    collection = store.database[SCHOOLS.table]
    for version in collection.find():
        parsed = {"record": orjson.loads(version["payload"])}
        collection.update_one({"_id": version["_id"]}, {"$set": parsed})
    second, counts = pull(store, {"a": 1, "b": 2})
    assert counts == {"unchanged": 1, "changed": 1}
    assert sorted(versions(store)) == [("a", first, 1), ("b", first, 1), ("b", second, 2)]


def physical_writes(store: DocumentStore) -> dict[str, int]:
    """What the storage engine wrote to the collection of versions so far."""
    stats = store.database.command("collStats", SCHOOLS.table)["wiredTiger"]["cursor"]
    return {call: stats[f"{call} calls"] for call in ("insert", "update", "remove")}


def test_the_same_state_again_writes_nothing(store: DocumentStore) -> None:
    state = {f"school {number}": number for number in range(50)}
    pull(store, state)
    before = physical_writes(store)
    for _ in range(2):
        assert pull(store, state)[1] == {"unchanged": 50}
    assert physical_writes(store) == before
    assert before["insert"] == 50


def test_looking_versions_up_touches_no_document(store: DocumentStore) -> None:
    pull(store, {"a": 1, "b": 2})
    versions = store.database[SCHOOLS.table]
    columns = {"_id": 0, "record_key": 1, "run_sequence": 1, "content_hash": 1}
    for finder in (
        versions.find({}, columns).sort(module.VERSION_INDEX).hint(module.VERSION_INDEX),
        versions.find({"_id": {"$gte": version_id(0)}}, {"_id": 1}).hint([("_id", 1)]),
    ):
        plan = finder.explain()
        assert plan["executionStats"]["totalDocsExamined"] == 0
        assert plan["executionStats"]["nReturned"] > 0


def test_withdrawal_crosses_pages(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    pull(store, {f"{number:02}": number for number in range(20)})
    kept = {f"{number:02}": number for number in range(0, 20, 3)}
    assert pull(store, kept)[1] == {"unchanged": 7, "withdrawn": 13}
    assert set(present(store)) == set(kept)


def test_hop_2_reads_in_order_and_only_what_is_asked_for(store: DocumentStore) -> None:
    sequences = [pull(store, {"a": size, "b": size})[0] for size in range(4)]
    assert [sequence for _, sequence, _ in versions(store)] == sorted(sequences * 2)
    assert {s for _, s, _ in versions(store, after=sequences[1])} == set(sequences[2:])
    assert versions(store, after=sequences[-1]) == []
    assert [batch.num_rows for batch in store.version_batches(SCHOOLS, batch_rows=3)] == [3, 3, 2]
    assert store.finished_loads(SCHOOLS) == sequences


# -- commits and leftovers -------------------------------------------------------------------------


def test_an_unfinished_load_is_invisible_and_then_removed(store: DocumentStore) -> None:
    first, _ = pull(store, {"a": 1, "b": 1})
    _, load = begin(store)
    store.write_page(load, Page.of([record("a", 2), record("c", 1)]))
    store.withdraw_missing(load, KeyDigests())
    store.quarantine(load, b"{", reason="invalid_json", line_number=7)
    store.quarantine(load, b"x" * (module.MAX_INLINE_BYTES + 1), reason="big", line_number=8)
    # Here the process dies.
    assert {sequence for _, sequence, _ in versions(store)} == {first}
    assert set(present(store)) == {"a", "b"}
    assert store.present_count(SCHOOLS) == 2
    assert [row["run_sequence"] for row in store.ledger_rows()] == [first]

    with store.lock("the next run"):
        assert store.database[SCHOOLS.table].count_documents({}) == 2
        for collection in ("quarantine", "quarantine.files", "quarantine.chunks"):
            assert store.database[collection].count_documents({}) == 0
    entries = {row["run_sequence"]: row for row in store.ledger_rows()}
    assert entries[load.run.sequence]["status"] == "failed"
    assert entries[load.run.sequence]["error"] == "interrupted"
    assert pull(store, {"a": 2, "b": 1, "c": 1})[1] == {"new": 1, "changed": 1, "unchanged": 1}


def test_a_run_taken_for_dead_cannot_commit(store: DocumentStore) -> None:
    pull(store, {"a": 1})
    run, load = begin(store)
    other = DocumentStore(store.database)
    later = other.begin_run(code_version="test")
    # The first one wakes up and goes on.
    counts = store.write_page(load, Page.of([record("a", 2), record("b", 2)]))
    with pytest.raises(StoreError, match="took this one for dead"):
        commit(store, load, counts)
    with pytest.raises(StoreError, match="took this one for dead"):
        store.finish_run(run, "finished")
    # What it wrote meanwhile does not deceive the other.
    later_load = other.begin_load(later, SCHOOLS)
    assert other.write_page(later_load, Page.of([record("a", 2), record("b", 2)])) == PageCounts(
        new=1, changed=1
    )
    commit(other, later_load, PageCounts(new=1, changed=1))
    assert {sequence for _, sequence, _ in versions(store)} == {1, later.sequence}


def test_a_failed_load_is_taken_back(store: DocumentStore) -> None:
    pull(store, {"a": 1})
    run, load = begin(store)
    store.write_page(load, Page.of([record("a", 2), record("b", 1)]))
    store.fail_load(run, SCHOOLS, "the stream was cut")
    store.fail_load(run, SECTORS, "not even begun")
    store.finish_run(run, "failed")
    assert versions(store) == [("a", 1, 1)]
    assert store.database[SCHOOLS.table].count_documents({}) == 1
    failed = store.ledger_rows(after=1)
    assert [(row["dataset"], row["error"]) for row in failed] == [
        ("invented-schools", "the stream was cut"),
        ("invented-sectors", "not even begun"),
    ]


def test_a_second_try_within_a_run_starts_clean(store: DocumentStore) -> None:
    run, load = begin(store)
    store.write_page(load, Page.of([record("a", 1), record("b", 1)]))
    load = store.begin_load(run, SCHOOLS)
    commit(store, load, store.write_page(load, Page.of([record("a", 2)])))
    assert versions(store) == [("a", run.sequence, 2)]
    for again in (
        lambda: store.begin_load(run, SCHOOLS),
        lambda: store.fail_load(run, SCHOOLS, "too late"),
        lambda: store.skip_load(run, SCHOOLS, status="unchanged"),
    ):
        with pytest.raises(StoreError, match="already loaded and committed"):
            again()
    assert versions(store) == [("a", run.sequence, 2)]


def test_counts_that_do_not_add_up_are_not_committed(store: DocumentStore) -> None:
    _, load = begin(store)
    store.write_page(load, Page.of([record("a", 1), record("b", 1)]))
    with pytest.raises(StoreError, match="2 rows were received and 1 are accounted for"):
        store.commit_load(load, rows_received=2, rows_withdrawn=0, **PageCounts(new=1).as_ledger())
    assert versions(store) == []
    assert store.last_finished_load(SCHOOLS) is None


def test_a_record_twice_in_a_pull_is_not_committed(store: DocumentStore) -> None:
    for again in (record("a", 1), record("a", 2)):
        _, load = begin(store)
        counts = store.write_page(load, Page.of([record("a", 1), record("b", 1)]))
        more = store.write_page(load, Page.of([again]))
        assert (counts.new, more.new) == (2, 1)
        with pytest.raises(StoreError, match="came twice in one pull"):
            commit(store, load, PageCounts(new=3))
        assert versions(store) == []


def test_a_record_both_received_and_withdrawn_is_not_committed(store: DocumentStore) -> None:
    pull(store, {"a": 1})
    _, load = begin(store)
    counts = store.write_page(load, Page.of([record("a", 2)]))
    assert store.withdraw_missing(load, KeyDigests()) == 1
    with pytest.raises(StoreError, match="came twice in one pull"):
        commit(store, load, counts, withdrawn=1)
    assert present(store) == {"a": record("a", 1)[1]}


def test_run_sequences_only_grow(store: DocumentStore) -> None:
    first = store.begin_run(code_version="test").sequence
    assert store.begin_run(code_version="test").sequence == first + 1
    store.database["counters"].drop()
    assert store.begin_run(code_version="test").sequence == first + 2
    store.database["runs"].drop()
    assert store.begin_run(code_version="test").sequence == first + 3


# -- what cannot be stored -------------------------------------------------------------------------


BAD = {
    "too large": b'{"name":"large","x":"' + b"x" * 17_000_000 + b'"}',
    "not UTF-8": b'{"name":"latin","x":"\xe9"}',
}
"""What a page could bring that the checks before it had let through."""


@pytest.mark.parametrize("what", BAD)
def test_a_refused_record_does_not_take_its_neighbours_with_it(
    what: str, store: DocumentStore
) -> None:
    pull(store, {"bad": 1, "changes": 1})
    raw = BAD[what]
    _, load = begin(store)
    good = [record(f"good {number}", number) for number in range(5)]
    page = [*good[:3], ('["bad"]', "f" * 64, raw), record("changes", 2), *good[3:]]
    counts = store.write_page(load, Page.of(page))
    assert counts == PageCounts(new=5, changed=1, quarantined=1)
    commit(store, load, counts)
    assert {name for name, sequence, _ in versions(store) if sequence == load.run.sequence} == {
        *(f"good {number}" for number in range(5)),
        "changes",
    }
    (kept_out,) = store.quarantined(SCHOOLS, run_sequence=load.run.sequence)
    assert kept_out["raw"] == raw
    assert kept_out["record_key"] == '["bad"]'
    assert kept_out["reason"] == "refused_by_mongodb"
    assert store.status([SCHOOLS])["datasets"][0]["quarantined"] == {"refused_by_mongodb": 1}


def test_quarantine_keeps_any_bytes_once(store: DocumentStore) -> None:
    _, load = begin(store)
    lines = [b"", b"\x00\xff\xfe", b'{"a":', os.urandom(module.MAX_INLINE_BYTES + 1)]
    for _ in range(2):
        for number, line in enumerate(lines, start=1):
            store.quarantine(load, line, reason="unreadable", detail="why", line_number=number)
    found = list(store.quarantined(SCHOOLS))
    assert [document["raw"] for document in found] == lines
    assert [document["size"] for document in found] == [len(line) for line in lines]
    assert list(store.quarantined(SECTORS)) == []
    assert list(store.quarantined(SCHOOLS, run_sequence=99)) == []
    assert store.database["quarantine.files"].count_documents({}) == 1


# -- damage and older code -------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["the current version", "one replaced since", "all of them"])
def test_lost_versions_stop_the_next_load_before_it_writes(store: DocumentStore, lost: str) -> None:
    first, _ = pull(store, {"a": 1, "b": 1})
    pull(store, {"a": 2, "b": 1})
    collection = store.database[SCHOOLS.table]
    query: dict[str, Any] = {"all of them": {}, "one replaced since": {"run_sequence": first}}.get(
        lost, {"run_sequence": {"$gt": first}}
    )
    taken = list(collection.find(query).sort("_id", 1).limit(3 if not query else 1))
    collection.delete_many({"_id": {"$in": [version["_id"] for version in taken]}})
    before = list(collection.find())
    with pytest.raises(StoreError, match=r"wrote \d and \d are there.*replay --apply"):
        pull(store, {"a": 2, "b": 1})
    assert list(collection.find()) == before
    collection.insert_many(taken)
    assert pull(store, {"a": 2, "b": 1})[1] == {"unchanged": 2}


def test_versions_of_a_run_the_ledger_does_not_know_stop_a_load(store: DocumentStore) -> None:
    first, _ = pull(store, {"a": 1})
    pull(store, {"a": 2})
    store.database["runs"].delete_one({"_id": first})
    with pytest.raises(StoreError, match=f"1 versions of run {first}, which its ledger"):
        pull(store, {"a": 2})


def test_a_lost_ledger_does_not_let_a_restore_remove_versions(store: DocumentStore) -> None:
    pull(store, {"a": 1})
    store.database["runs"].drop()
    assert store.is_blank()
    with pytest.raises(StoreError, match=r"its ledger of runs.*is gone"):
        store.begin_restore([SCHOOLS])
    assert store.database[SCHOOLS.table].count_documents({}) == 1


def test_what_a_run_wrote_after_it_was_taken_for_dead_goes(store: DocumentStore) -> None:
    pull(store, {"a": 1})
    _, dead = begin(store)
    other = DocumentStore(store.database)
    other.recover()
    store.write_page(dead, Page.of([record("a", 7), record("b", 7)]))
    assert pull(other, {"a": 1})[1] == {"unchanged": 1}
    assert store.database[SCHOOLS.table].count_documents({}) == 1


@pytest.mark.parametrize("length", [24, 40])
def test_versions_under_the_ids_of_older_code_are_adopted(
    store: DocumentStore, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids had no place, and before that no content; a version is the same under any of them."""
    monkeypatch.setattr(module, "SCAN_ROWS", 2)
    pull(store, {"a": 1, "b": 1, "c": 1})
    pull(store, {"a": 2, "b": 1})
    collection = store.database[SCHOOLS.table]
    stored = list(collection.find())
    for version in stored:
        old_id = (version["_id"][:8] + version["_id"][12:])[:length]
        collection.insert_one(version | {"_id": old_id})
    # Killed in the middle of it: some are there under both ids.
    adopted = [module._with_new_id(version) for version in stored]
    collection.delete_many({"_id": {"$in": [version["_id"] for version in stored]}})
    collection.insert_one(adopted[1])
    store.database["store"].update_one({}, {"$unset": {"id_layout": ""}})

    with store.lock("test"):
        pass
    assert sorted(collection.find(), key=str) == sorted(adopted, key=str)
    assert store.identity()["id_layout"] == ID_LAYOUT
    assert pull(store, {"a": 2, "b": 1, "c": 1})[1] == {"unchanged": 2, "restored": 1}


def test_older_code_may_have_run_in_between(store: DocumentStore) -> None:
    """It saw nothing of what is there, and called what it was given new."""
    pull(store, {"a": 1, "b": 1})
    run, _ = pull(store, {"a": 1, "b": 1, "c": 1})
    collection = store.database[SCHOOLS.table]
    (added,) = collection.find({"run_sequence": run})
    collection.delete_one({"_id": added["_id"]})
    again = collection.find_one({"run_sequence": {"$lt": run}, "record_key": {"$regex": "a"}})
    assert again is not None
    for version in (added, {**again, "run_sequence": run}):
        key = digest(version["record_key"])
        content = bytes.fromhex(version["content_hash"])[:16]
        collection.insert_one(version | {"_id": run.to_bytes(8, "big") + key + content})
    store.database["runs"].update_one(
        {"_id": run}, {"$set": {f"loads.{SCHOOLS.dataset_id}.rows_new": 2}}
    )

    with store.lock("test"):
        pass
    assert pull(store, {"a": 1, "b": 1, "c": 1})[1] == {"unchanged": 3}
    assert {len(version["_id"]) for version in collection.find()} == {ID.itemsize}


def test_a_store_of_later_code_is_refused(store: DocumentStore) -> None:
    store.database["store"].update_one({}, {"$inc": {"id_layout": 1}})
    with pytest.raises(StoreError, match="later version of this program"):
        store.prepare([SCHOOLS, SECTORS])


# -- the ledger ------------------------------------------------------------------------------------


def test_ledger_rows_have_the_columns_of_the_contract(store: DocumentStore) -> None:
    text = (PROJECT_DIR / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = text.partition("`raw._source_load`")[2].partition("\n\n")[0].partition("):")[2]
    columns = listed.split("`")[1::2]
    run, load = begin(store)
    commit(store, load, store.write_page(load, Page.of([record("a", 1)])))
    store.skip_load(run, SECTORS, status="not_recorded")
    store.finish_run(run, "finished")
    finished, skipped = store.ledger_rows()
    assert list(finished) == list(skipped) == columns
    assert finished["portal"] == "a_portal"
    assert finished["table_name"] == "a_portal__invented_schools"
    assert finished["portal_data_processed_at"] == datetime(2026, 11, 1, 7, tzinfo=UTC)
    assert (finished["rows_received"], finished["rows_present"], finished["drift"]) == (1, 1, "[]")
    assert (skipped["status"], skipped["rows_received"]) == ("not_recorded", None)
    assert list(store.ledger_rows(after=run.sequence)) == []


def test_last_load_and_status(store: DocumentStore) -> None:
    assert store.last_finished_load(SCHOOLS) is None
    assert store.last_full_pull_at(SCHOOLS) is None
    changed, _ = pull(store, {"a": 1})
    same, _ = pull(store, {"a": 1})
    run = store.begin_run(code_version="test")
    store.skip_load(run, SCHOOLS, status="unchanged", portal={"records_count": 1})
    store.finish_run(run, "finished")
    last = store.last_finished_load(SCHOOLS)
    assert last is not None
    assert last["run_sequence"] == same
    assert last["profile"] == {"name": {"nulls": 0}}
    assert store.last_full_pull_at(SCHOOLS) == last["extracted_at"]
    status = store.status([SCHOOLS, SECTORS])
    assert status["store"]["store_id"]
    assert status["lock"] is None
    assert status["last_run"]["_id"] == run.sequence
    schools, sectors = status["datasets"]
    assert schools["rows_present"] == schools["versions"] == 1
    assert schools["last_load"]["status"] == "unchanged"
    assert schools["last_pull"]["run_sequence"] == same
    assert schools["last_change"]["run_sequence"] == changed
    assert (sectors["rows_present"], sectors["last_load"]) == (0, None)
    assert DocumentStore(store.database).status()["datasets"]


def test_a_clock_set_back_does_no_harm(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(store, {"a": 1, "b": 1})
    now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(module, "_now", lambda: now - timedelta(days=400))
    run, load = begin(store)
    monkeypatch.setattr(module, "_now", lambda: now - timedelta(days=500))
    counts = store.write_page(load, Page.of([record("a", 2), record("b", 1)]))
    commit(store, load, counts)
    store.finish_run(run, "finished")
    last = store.last_finished_load(SCHOOLS)
    assert last is not None
    assert last["run_sequence"] == run.sequence
    assert present(store)["a"] == record("a", 2)[1]
    assert [row["duration_s"] >= 0 for row in store.ledger_rows()] == [True, True]


def test_preparing_again_changes_nothing(store: DocumentStore) -> None:
    identity = store.identity()
    store.prepare([SCHOOLS, SECTORS])
    assert store.identity() == identity
    pull(store, {"a": 1})
    indexes = store.database[SCHOOLS.table].index_information()
    assert indexes.keys() == {"_id_", "versions"}
    pull(store, {"a": 2})
    assert store.database[SCHOOLS.table].index_information() == indexes


def test_synthetic_and_real_records_never_meet(store: DocumentStore) -> None:
    assert store.origin() is None
    store.claim_origin(is_synthetic=True)
    store.claim_origin(is_synthetic=True)
    assert store.origin() == "synthetic"
    with pytest.raises(MixedOriginError, match="holds synthetic records"):
        store.claim_origin(is_synthetic=False)
    assert store.origin() == "synthetic"


# -- the lock --------------------------------------------------------------------------------------

HOLDER = """
import sys
from ingestion.document_store import DocumentStore
from ingestion.mongod import connect
from ingestion.settings import Settings
with connect(Settings.from_environment()) as database:
    with DocumentStore(database).lock("a test"):
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(settings: Settings, store: DocumentStore) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env={**os.environ, "MONGODB_URI": settings.mongodb_uri or ""},
        cwd=PROJECT_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_a_second_holder_is_told_who_the_first_is(
    holder: subprocess.Popen[str], store: DocumentStore
) -> None:
    said = rf"`a test` holds this store: process {holder.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(LockedError, match=said), store.lock("b"):
        pass
    assert store.status([])["lock"]["pid"] == holder.pid
    holder.communicate("\n", timeout=10)
    with store.lock("b"), pytest.raises(LockedError), store.lock("c"):
        pass
    assert store.status([])["lock"] is None


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_a_killed_holders_lock_is_taken_over_at_once(
    is_waited_for: bool, holder: subprocess.Popen[str], store: DocumentStore
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    if is_waited_for:
        holder.wait()
    else:
        while not Path(f"/proc/{holder.pid}/stat").read_text().rpartition(")")[2].startswith(" Z"):
            time.sleep(0.01)
    started = time.monotonic()
    with store.lock("b") as lock:
        lock.check()
    assert time.monotonic() - started < 5


def plant(store: DocumentStore, **holder: Any) -> None:
    """A lock as some process wrote it; ``ago`` in seconds by the server's clock."""
    ago = holder.pop("ago", 0)
    document = {
        "token": "another", "host": "another", "pid": os.getpid(), "purpose": "a test",
        "process_started": store_lock._process_started(os.getpid()), "machine": "elsewhere",
        **holder,
    }  # fmt: skip
    store.database["locks"].update_one(
        {"_id": "store"},
        [
            {"$set": {name: {"$literal": value} for name, value in document.items()}},
            {"$set": {"since": "$$NOW", "renewed_at": {"$subtract": ["$$NOW", ago * 1000]}}},
        ],
        upsert=True,
    )


def test_a_reused_process_id_is_not_the_holder(store: DocumentStore) -> None:
    plant(store, machine=store_lock._machine())
    with pytest.raises(LockedError), store.lock("b"):
        pass
    plant(store, machine=store_lock._machine(), process_started="long ago")
    with store.lock("b"):
        pass


def test_a_holder_elsewhere_is_judged_by_its_heartbeat(store: DocumentStore) -> None:
    plant(store, ago=LEASE_S - 10)
    with pytest.raises(LockedError, match=r"frees itself within 60 s"), store.lock("b"):
        pass
    plant(store, ago=LEASE_S + 10)
    with store.lock("b"):
        pass


def test_a_heartbeat_from_the_future_is_watched(store: DocumentStore) -> None:
    locks = store.database["locks"]
    plant(store, ago=-7200)  # the server's clock was set back two hours, and the holder is dead
    with StoreLock(locks, "b", lease_s=60, heartbeat_s=0.1):
        pass
    plant(store, ago=-7200)  # and here it lives

    def renew() -> None:
        time.sleep(0.1)
        plant(store)

    alive = threading.Thread(target=renew)
    alive.start()
    with pytest.raises(LockedError), StoreLock(locks, "b", lease_s=60, heartbeat_s=0.3):
        pass
    alive.join()


def test_two_that_find_a_dead_holder_do_not_both_get_the_lock(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = StoreLock._is_dead

    def outrun(lock: StoreLock, holder: dict[str, Any]) -> bool:
        is_dead = judge(lock, holder)
        if is_dead:  # meanwhile the other one is faster
            plant(store, token="the winner")
        return is_dead

    plant(store, ago=3600)
    monkeypatch.setattr(StoreLock, "_is_dead", outrun)
    with pytest.raises(LockedError), store.lock("b"):
        pass
    held = store.database["locks"].find_one()
    assert held is not None
    assert held["token"] == "the winner"


def test_the_heartbeat_keeps_a_lock_alive(store: DocumentStore) -> None:
    locks = store.database["locks"]
    with StoreLock(locks, "a", lease_s=60, heartbeat_s=0.05) as lock:
        before = locks.find_one()
        time.sleep(0.4)
        after = locks.find_one()
        assert before is not None
        assert after is not None
        assert after["renewed_at"] > before["renewed_at"]
        assert after["since"] == before["since"]
        lock.check()


def test_a_lost_lock_stops_the_run(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.05)
    with store.lock("a") as lock:
        run, load = begin(store)
        plant(store)
        deadline = time.monotonic() + 5
        while lock._lost is None and time.monotonic() < deadline:
            time.sleep(0.02)
        for attempt in (
            lock.check,
            lambda: store.write_page(load, Page.of([record("a", 1)])),
            lambda: commit(store, load, PageCounts()),
            lambda: store.begin_load(run, SECTORS),
        ):
            with pytest.raises(LockedError, match="lost the lock"):
                attempt()
    holder = store.database["locks"].find_one()
    assert holder is not None
    assert holder["token"] == "another"  # not ours to release


# -- other servers ---------------------------------------------------------------------------------


def test_a_user_without_rights_is_told_so(
    store: DocumentStore, mongod: EmbeddedMongod, tmp_path: Path
) -> None:
    database = store.database
    database.command("createUser", "reader", pwd="canary", roles=["read"])
    try:
        password = mongod.uri.split(":")[2].split("@")[0]
        uri = mongod.uri.replace(f"colleges:{password}", "reader:canary").replace(
            "/?authSource=admin", f"/{database.name}?authSource={database.name}"
        )
        settings = Settings(home=tmp_path, target="duckdb", mongodb_uri=uri)
        with connect(settings) as opened:
            with pytest.raises(StoreError, match="lacks rights") as caught:
                DocumentStore(opened).begin_run(code_version="test")
            assert "canary" not in str(caught.value)
            assert DocumentStore(opened).status([SCHOOLS])
    finally:
        database.command("dropUser", "reader")


def test_a_replica_set(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [find_mongod(), "--dbpath", tmp_path, "--bind_ip", "127.0.0.1", "--port", str(port),
         "--nounixsocket", "--replSet", "rs", "--logpath", tmp_path / "log",
         "--wiredTigerCacheSizeGB", "0.25"],
    )  # fmt: skip
    try:
        host = f"127.0.0.1:{port}"
        with MongoClient[dict[str, Any]](host, directConnection=True) as client:
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": "rs", "members": members})
        settings = Settings(tmp_path, "duckdb", mongodb_uri=f"mongodb://{host}/paris?replicaSet=rs")
        with connect(settings) as database:
            store = DocumentStore(database)
            store.prepare([SCHOOLS, SECTORS])
            with store.lock("a"):
                assert pull(store, {"a": 1, "b": 1})[1] == {"new": 2}
                assert pull(store, {"a": 2})[1] == {"changed": 1, "withdrawn": 1}
            assert len(versions(store)) == 4
            assert isinstance(database["runs"].find_one({}, sort=[("_id", -1)]), dict)
            assert database["runs"].count_documents({"_id": Int64(2)}) == 1
    finally:
        server.terminate()
        server.wait(30)
