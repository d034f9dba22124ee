"""Hop 2 to Snowflake: dlt's real destination and the real connector against the fake account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ingestion.document_store import DocumentStore
from ingestion.raw_files import RawFiles
from ingestion.replay import replay

from ingestion.errors import LockedError, ReconciliationError, WarehouseError
from ingestion.load import load_warehouse, reconcile
from ingestion.registry import registry
from ingestion.settings import Settings
from tests.ingestion.test_load import ARRONDISSEMENTS, BOTH, COLLEGES, begin, college, pull
from tests.snowflake.conftest import Fake

pytestmark = pytest.mark.timeout(300)

RAW_COLLEGES = f"raw.{COLLEGES.table}"


@pytest.fixture
def store(database: Any) -> Iterator[DocumentStore]:
    store = DocumentStore(database)
    store.prepare(registry().values())
    with store.lock("test"):
        yield store


@pytest.fixture
def target(settings: Settings, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose warehouse is the fake account."""
    for name, value in fake.environ.items():
        monkeypatch.setenv(name, value)
    return replace(settings, target="snowflake")


def one_run(store: DocumentStore, *names: str, **fields: Any) -> None:
    run = begin(store)
    pull(store, run, COLLEGES, [college(name, **fields) for name in names])
    store.finish_run(run, "finished")


def test_what_arrives(store: DocumentStore, target: Settings, fake: Fake) -> None:
    fields = {"rate": 86.0, "none": None, "shape": {"coordinates": [2.3, 48.8]}, "text": 'É"\n'}
    one_run(store, "A", "B", **fields)
    one_run(store, "A", **fields)
    report = load_warehouse(store, target, BOTH)
    assert (report.rows_appended, report.leftovers_removed) == (3, 0)

    rows = fake.query(
        "select record_key, run_sequence, is_withdrawn, payload is null, content_hash is null,"
        " to_varchar(extracted_at, 'YYYY-MM-DD HH24:MI:SS.FF3'),"
        " cast(get_path(payload, 'text') as varchar),"
        " cast(get_path(payload, 'shape.coordinates[1]') as double),"
        f" cast(get_path(payload, 'none') as varchar) from {RAW_COLLEGES} order by 1, 2"
    )
    a = ('["A","2019-2020"]', 1, False, False, False, "2026-03-01 23:30:15.123", 'É"\n', 48.8, None)
    assert rows[0] == a
    assert [row[:5] for row in rows[1:]] == [
        ('["B","2019-2020"]', 1, False, False, False),
        ('["B","2019-2020"]', 2, True, True, True),
    ]
    types = dict(
        fake.query(
            "select lower(column_name), data_type from information_schema.columns"
            f" where table_name = '{COLLEGES.table.upper()}'"
        )
    )
    assert types["payload"] == "VARIANT"
    assert types["extracted_at"] == "TIMESTAMP_NTZ"
    assert fake.query("select count(*) from raw._source_load") == [(report.ledger_rows,)]


def test_nothing_changed_asks_nothing(store: DocumentStore, target: Settings, fake: Fake) -> None:
    one_run(store, "A")
    load_warehouse(store, target, BOTH)
    reconcile(store, target, BOTH)
    fake.control(empty_log=True)

    one_run(store, "A")
    assert load_warehouse(store, target, BOTH).rows_appended == 0
    reconcile(store, target, BOTH)
    assert fake.log == []  # not even signed in


def test_a_change_is_appended(store: DocumentStore, target: Settings, fake: Fake) -> None:
    one_run(store, "A", "B")
    load_warehouse(store, target, BOTH)
    one_run(store, "A", "B", "C")
    assert load_warehouse(store, target, BOTH).rows_appended == 1
    assert [a.versions for a in reconcile(store, target, BOTH)] == [3, 0]


def test_leftovers_of_a_killed_load_go_first(
    store: DocumentStore, target: Settings, fake: Fake
) -> None:
    one_run(store, "A")
    load_warehouse(store, target, BOTH)
    fake.query(f"insert into {RAW_COLLEGES} (record_key, run_sequence) values ('half', 2)")
    one_run(store, "A", "B")
    report = load_warehouse(store, target, BOTH)
    assert (report.leftovers_removed, report.rows_appended) == (1, 1)
    reconcile(store, target, BOTH, verify=True)


def test_a_difference_is_found_and_mended(
    store: DocumentStore, target: Settings, fake: Fake
) -> None:
    one_run(store, "A", "B")
    load_warehouse(store, target, BOTH)
    fake.query(f"update {RAW_COLLEGES} set content_hash = 'x' where record_key like '[\"A%'")
    with pytest.raises(ReconciliationError, match="1 different"):
        reconcile(store, target, BOTH, verify=True)
    report = replay(store, target, BOTH, apply=True)
    assert [d.different for d in report.differences] == [1, 0]
    reconcile(store, target, BOTH, verify=True)


def test_what_mongodb_lost_is_put_back(
    store: DocumentStore, target: Settings, fake: Fake, database: Any
) -> None:
    one_run(store, "A", "B")
    one_run(store, "A")
    load_warehouse(store, target, BOTH)
    assert not any(replay(store, target, BOTH, apply=False).differences)
    database[COLLEGES.table].delete_many({})
    (difference, _) = replay(store, target, BOTH, apply=False).differences
    assert (difference.extra, difference.to_put_back, difference.unaccounted) == (3, 3, 0)
    assert replay(store, target, BOTH, apply=True).put_back == 3
    assert not any(replay(store, target, BOTH, apply=False).differences)
    assert fake.query(f"select count(*) from {RAW_COLLEGES}") == [(3,)]


def test_an_altered_payload_is_found(store: DocumentStore, target: Settings, fake: Fake) -> None:
    one_run(store, "A", "B")
    load_warehouse(store, target, BOTH)
    fake.query(
        f'update {RAW_COLLEGES} set payload = parse_json(\'{{"libelle":"A"}}\')'
        " where record_key like '[\"A%'"
    )
    assert [d.different for d in replay(store, target, BOTH, apply=False).differences] == [1, 0]


def test_a_load_that_lost_the_lock_doubles_nothing(
    store: DocumentStore, target: Settings, fake: Fake, database: Any, monkeypatch: Any
) -> None:
    one_run(store, "A", "B")
    append = RawFiles.append

    def asleep(self: RawFiles) -> None:
        monkeypatch.setattr(RawFiles, "append", append)
        append(self)
        database["locks"].update_one({"_id": "store"}, {"$set": {"token": "of another"}})
        load_elsewhere = Settings(target.home / "elsewhere", target.target, target.mongodb_uri)
        # It finds these rows as leftovers; so that they come after its own, as in a race:
        load_warehouse(DocumentStore(database), load_elsewhere, BOTH)
        fake.query(f"insert into {RAW_COLLEGES} select * from {RAW_COLLEGES}")

    monkeypatch.setattr(RawFiles, "append", asleep)
    with pytest.raises(LockedError, match="raw holds each version once"):
        load_warehouse(store, target, BOTH)
    assert fake.query(f"select count(*) from {RAW_COLLEGES}") == [(2,)]
    reconcile(store, target, BOTH, verify=True)


def test_a_loader_that_may_make_no_schema(
    store: DocumentStore, target: Settings, fake: Fake
) -> None:
    fake.query("create schema raw")
    fake.control(refuse=[{"pattern": "^create schema", "says": "Insufficient privileges"}])
    one_run(store, "A")
    assert load_warehouse(store, target, BOTH).rows_appended == 1


def test_a_refused_statement_leaves_nothing_half_loaded(
    store: DocumentStore, target: Settings, fake: Fake
) -> None:
    one_run(store, "A", "B")
    says = f"Insufficient privileges to operate on schema '{fake.database}.RAW'."
    for pattern in (r"^create table", r"^copy into", "insert into raw._source_load"):
        fake.control(refuse=[{"pattern": pattern, "says": says}])
        with pytest.raises(WarehouseError, match="Insufficient privileges"):
            load_warehouse(store, target, [COLLEGES, ARRONDISSEMENTS])
    fake.control(refuse=[])
    assert load_warehouse(store, target, BOTH).rows_appended == 2
    reconcile(store, target, BOTH, verify=True)
