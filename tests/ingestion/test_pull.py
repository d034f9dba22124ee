"""Hop 1 into a real MongoDB: what becomes of records, bad lines, repeated keys, absences."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from ingestion import store as store_module
from ingestion.errors import (
    Interrupted,
    PortalUnreachableError,
    SettingsError,
    StoreError,
    UnknownDatasetError,
)  # fmt: skip
from ingestion.pull import PullOptions
from ingestion.settings import Settings
from ingestion.store import LEDGER_COLUMNS, RUN_SIZE, as_version
from tests.ingestion.pulls import ARRONDISSEMENTS, COLLEGES, House, college, house, key


@pytest.fixture
def our(settings: Settings) -> Iterator[House]:
    with house(settings) as opened:
        yield opened


def counts(our: House, *lines: bytes, **of: Any) -> dict[str, int]:
    """What a pull counted, without zeros."""
    found = our.pull(*lines, **of).counts
    assert (
        found["rows_received"]
        == len(lines)
        == sum(
            found[f"rows_{name}"]
            for name in ("new", "changed", "unchanged", "restored", "quarantined")
        )
    )
    return {name.removeprefix("rows_"): n for name, n in found.items() if n}


def test_the_life_of_records(our: House) -> None:
    assert counts(our, college("A"), college("B")) == {"received": 2, "new": 2}
    assert counts(our, college("B"), college("A")) == {"received": 2, "unchanged": 2}
    assert counts(our, college("A", x=1)) == {"received": 1, "changed": 1, "withdrawn": 1}
    assert counts(our, college("A", x=1.0)) == {"received": 1, "unchanged": 1}
    assert counts(our, college("A"), college("B")) == {"received": 2, "changed": 1, "restored": 1}
    first, changed = college("A").decode(), college("A", x=1).decode()
    assert our.versions() == {
        "A": [first, changed, first],
        "B": [college("B").decode(), None, college("B").decode()],
    }
    last = our.store.last_finished(COLLEGES)
    assert last
    assert last["rows_present"] == 2


def test_a_version_can_be_asked_for_by_its_fields(our: House) -> None:
    """What BSON cannot hold has no `record`, and is stored all the same."""
    odd = b'{"libelle": "B", "annee_scol": "2019-2020", "n": 123456789012345678901, "a.b": 1}'
    dotted = {"insee.code": "75101", "$x": {"": None}}
    assert counts(our, college("A", **dotted), odd) == {"received": 2, "new": 2}
    versions = our.store.database[COLLEGES.table]
    found = versions.find_one({"record.libelle": "A"})
    assert found
    assert found["record"] == {"libelle": "A", "annee_scol": "2019-2020", **dotted}
    assert found["_id"] // RUN_SIZE == found["run_sequence"] == 1
    other = versions.find_one({"record_key": key("B")})
    assert other
    assert (other["record"], other["payload"]) == (None, odd.decode())


@pytest.mark.parametrize(
    ("field", "is_held"),
    [
        ('"n": 999999999999999999', True),
        ('"n": 9223372036854775808', False),
        ('"n": 123456789012345678901', False),
        ('"b\\u0000": 1', False),
        (f'"n": {"[" * 80}{"]" * 80}', True),
        (f'"n": {"[" * 240}{"]" * 240}', False),
        (f'"n": [{"1," * 2_000_000}1]', False),
    ],
    ids=["long", "beyond 63 bits", "beyond 64 bits", "NUL", "deep", "too deep", "too large"],
)
def test_what_mongodb_cannot_hold_is_stored_as_text(field: str, is_held: bool, our: House) -> None:
    line = f'{{"libelle": "B", "annee_scol": "2019-2020", {field}}}'.encode()
    assert counts(our, college("A"), line) == {"received": 2, "new": 2}
    for version in our.store.database[COLLEGES.table].find():
        is_odd = version["record_key"] == key("B")
        assert (version["record"] is not None) == (is_held or not is_odd)
        assert not is_odd or version["payload"] == line.decode()


def test_bad_lines_are_kept_out_and_take_no_neighbour_along(our: House) -> None:
    our.pull(college("A"), college("B"))
    bad = b'{"libelle": "B", "annee_scol": "2019-2020", "x": NaN}'
    assert counts(our, college("A"), bad, college("C")) == {
        "received": 3, "unchanged": 1, "new": 1, "quarantined": 1,
    }  # fmt: skip
    (kept,) = our.store.database["quarantine"].find()
    assert zlib.decompress(kept["compressed"]) == bad
    assert (kept["line_number"], kept["record_key"], kept["reason"]) == (
        2,
        key("B"),
        "invalid_json",
    )
    assert our.versions()["B"] == [college("B").decode()], "B is not withdrawn: its line came"


def test_a_line_that_names_no_record_lets_nothing_be_withdrawn(our: House) -> None:
    our.pull(college("A"), college("B"))
    refused = our.pull(college("A"), b"no record")
    assert "do not say which record they are" in (refused.withdrawal_refused or "")
    assert refused.counts["rows_withdrawn"] == 0
    assert refused.problem
    accepted = our.pull(college("A"), b"no record", options=PullOptions(accept_shrink=True))
    assert accepted.counts["rows_withdrawn"] == 1


def test_below_the_floor_nothing_is_withdrawn(our: House) -> None:
    dataset = COLLEGES.model_copy(update={"volume_floor": 2})
    our.pull(college("A"), college("B"), dataset=dataset)
    refused = our.pull(college("A"), dataset=dataset)
    assert "below this dataset's floor of 2" in (refused.withdrawal_refused or "")
    assert our.versions()["B"] == [college("B").decode()]


def test_a_key_that_comes_twice(our: House) -> None:
    """The same record twice is one; of two contents none is believed, and the record stays."""
    our.pull(college("A"), college("B"))
    lines = [college("A", x=1), college("B"), college("A", x=2), college("C"), college("C")]
    assert counts(our, *lines) == {"received": 5, "unchanged": 1, "new": 1, "quarantined": 3}
    reasons = [(q["line_number"], q["reason"]) for q in our.store.database["quarantine"].find()]
    assert reasons == [(1, "duplicate_key"), (3, "duplicate_key"), (5, "duplicate_key")]
    assert our.versions()["A"] == [college("A").decode()]


def test_a_large_line_that_is_kept_out_takes_several_documents(
    our: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_PART_BYTES", 1000)
    large = b'{"libelle": "B"' + random.Random(0).randbytes(2000).hex().encode()
    our.pull(college("A"), large)
    parts = list(our.store.database["quarantine"].find(sort=[("part", 1)]))
    assert len(parts) > 1
    assert zlib.decompress(b"".join(part["compressed"] for part in parts)) == large


@pytest.mark.parametrize(
    ("error", "status", "is_raised"),
    [
        (PortalUnreachableError("no answer"), "failed", False),
        (UnknownDatasetError("404"), "not_recorded", False),
        (StoreError("MongoDB is gone"), "failed", True),
        (Interrupted(15), "interrupted", True),
        (KeyboardInterrupt(), "interrupted", True),
    ],
)
def test_how_a_pull_ends(our: House, error: BaseException, status: str, is_raised: bool) -> None:
    options = PullOptions(is_recorded_state=True)
    if is_raised:
        with pytest.raises(type(error)):
            our.pull(error=error, options=options)
    else:
        assert our.pull(error=error, options=options).status == status
    (entry,) = our.store.entries()
    assert entry["status"] == status


@pytest.mark.parametrize("error", [Interrupted(15), AutoReconnect("connection closed")])
def test_a_commit_that_arrived_though_its_answer_was_lost(
    our: House, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is not removed, and the next pull finds it."""
    update = Collection.update_one

    def update_one(self: Any, query: Any, change: Any, **how: Any) -> Any:
        done = update(self, query, change, **how)
        if change["$set"].get("status") == "finished":
            raise error
        return done

    monkeypatch.setattr(Collection, "update_one", update_one)
    with pytest.raises((Interrupted, StoreError)):
        our.pull(college("A"))
    monkeypatch.undo()
    assert our.versions() == {"A": [college("A").decode()]}
    assert our.pull(college("A")).counts["rows_unchanged"] == 1


def test_what_a_killed_pull_left_is_removed_by_the_next_run(our: House) -> None:
    our.pull(college("A"))
    run = our.store.begin_run()
    entry = our.store.begin(run, COLLEGES)
    half = {"record_key": key("H"), "run_sequence": run.sequence, "payload": "{}"}
    our.store.insert(COLLEGES.table, [as_version(1, half)])
    assert our.pull(college("A")).counts["rows_unchanged"] == 1
    assert our.versions() == {"A": [college("A").decode()]}
    statuses = {e["run_sequence"]: e["status"] for e in our.store.entries()}
    assert statuses == {1: "finished", 2: "interrupted", 3: "finished"}
    with pytest.raises(StoreError, match="took it for dead"):
        our.store.end(entry, "finished")


def test_large_records_are_written_a_few_at_a_time(
    our: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that memory is bounded whatever a portal sends."""
    monkeypatch.setattr(store_module, "INSERT_BYTES", 250)
    real, pages = Collection.insert_many, []

    def insert_many(self: Collection[Any], page: list[Any], **how: Any) -> Any:
        pages.append(sorted(version["record_key"] for version in page))
        return real(self, page, **how)

    monkeypatch.setattr(Collection, "insert_many", insert_many)
    our.pull(*(college(name, text=100 * "x") for name in "ABCDE"))
    assert pages == [[key("A"), key("B")], [key("C"), key("D")], [key("E")]]


def test_synthetic_and_real_records_do_not_meet(our: House) -> None:
    our.pull(college("A"), is_synthetic=True)
    with pytest.raises(SettingsError, match="holds synthetic records"):
        our.pull(b'{"c_ar": 1}', dataset=ARRONDISSEMENTS)


def test_the_ledger_has_the_columns_of_raw(our: House) -> None:
    our.pull(college("A"))
    (entry,) = our.store.entries()
    assert entry.keys() >= LEDGER_COLUMNS.keys()
    assert entry.keys() - LEDGER_COLUMNS.keys() == {
        "_id", "fields_hash", "registry_fingerprint", "profile_changes",
    }  # fmt: skip


@pytest.mark.parametrize("change", ["delete", "add"])
def test_a_mongodb_that_lost_versions_is_not_pulled_into(our: House, change: str) -> None:
    our.pull(college("A"), college("B"))
    versions = our.store.database[COLLEGES.table]
    if change == "delete":
        versions.delete_one({"record_key": key("A")})
    else:
        stray = {"_id": 9 * RUN_SIZE, "record_key": key("Z"), "run_sequence": 9}
        versions.insert_one(stray | {"content_hash": "0"})
    before = versions.count_documents({})
    with pytest.raises(StoreError, match="does not hold the versions its own ledger speaks of"):
        our.pull(college("A"), college("B"))
    assert versions.count_documents({}) == before
