"""Hop 2 to Snowflake: dlt's real destination and the real connector against the fake account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ingestion.errors import ReconciliationError, WarehouseError
from ingestion.reconcile import replay
from ingestion.settings import Settings
from tests.ingestion.pulls import BOTH, COLLEGES, House, college, house, key
from tests.snowflake.conftest import Fake

pytestmark = pytest.mark.timeout(300)

RAW = f"raw.{COLLEGES.table}"


@pytest.fixture
def our(settings: Settings, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A store whose warehouse is the fake account."""
    for name, value in fake.environ.items():
        monkeypatch.setenv(name, value)
    with house(replace(settings, target="snowflake")) as opened:
        yield opened


def test_what_arrives(our: House, fake: Fake) -> None:
    fields: Any = {
        "rate": 86.0,
        "none": None,
        "shape": {"coordinates": [2.3, 48.8]},
        "text": 'É"\n',
    }
    our.pull(college("A", **fields), college("B", **fields))
    our.pull(college("A", **fields))
    report = our.load()
    assert report.rows_appended == 3
    rows = fake.query(
        "select record_key, run_sequence, is_withdrawn, payload, content_hash is null,"
        f" to_varchar(extracted_at, 'YYYY-MM-DD HH24:MI:SS.FF3') from {RAW} order by 1, 2"
    )
    at, text = "2026-03-01 23:30:15.123", [college(n, **fields).decode() for n in "AB"]
    assert rows == [
        (key("A"), 1, False, text[0], False, at),
        (key("B"), 1, False, text[1], False, at),
        (key("B"), 2, True, None, True, at),
    ]
    types = dict(
        fake.query(
            "select lower(column_name), data_type from information_schema.columns"
            f" where table_name = '{COLLEGES.table.upper()}'"
        )
    )
    assert types["payload"] == "TEXT"
    assert types["extracted_at"] == "TIMESTAMP_NTZ"
    assert fake.query("select count(*) from raw._source_load") == [(report.ledger_rows,)]
    our.reconcile()


def test_leftovers_of_a_killed_load_go_first(our: House, fake: Fake) -> None:
    our.pull(college("A"))
    our.load()
    fake.query(f"insert into {RAW} (record_key, run_sequence) values ('half', 2)")
    our.pull(college("A"), college("B"))
    assert our.load().rows_appended == 1
    our.reconcile()


def test_a_difference_is_found_and_mended(our: House, fake: Fake) -> None:
    our.pull(college("A"), college("B"))
    our.load()
    fake.query(f"update {RAW} set content_hash = 'x' where record_key like '[\"A%'")
    with pytest.raises(ReconciliationError, match="run 1: other versions"):
        our.reconcile()
    replay(our.store, our.lease, our.warehouse, BOTH, our.home)
    our.reconcile()
    assert fake.query(f"select count(*) from {RAW}") == [(2,)]


def test_a_loader_that_may_make_no_schema(our: House, fake: Fake) -> None:
    fake.query("create schema raw")
    fake.control(refuse=[{"pattern": "^create schema", "says": "Insufficient privileges"}])
    our.pull(college("A"))
    assert our.load().rows_appended == 1


def test_a_refused_statement_leaves_nothing_half_loaded(our: House, fake: Fake) -> None:
    our.pull(college("A"), college("B"))
    says = f"Insufficient privileges to operate on schema '{fake.database}.RAW'."
    for pattern in (r"^create table", r"^copy into", "insert into raw._source_load"):
        fake.control(refuse=[{"pattern": pattern, "says": says}])
        with pytest.raises(WarehouseError, match="Insufficient privileges"):
            our.load()
    fake.control(refuse=[])
    assert our.load().rows_appended == 2
    our.reconcile()
