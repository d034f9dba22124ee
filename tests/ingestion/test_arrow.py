"""Documents as Arrow: by pymongo's own C function, and by the public way where it is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bson import Int64
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ingestion import arrow

COLUMNS = {
    "_id": "bigint", "record_key": "text", "payload": "text", "is_withdrawn": "bool",
    "extracted_at": "timestamp", "line_hash": "binary",
}  # fmt: skip
NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


@pytest.fixture(params=["private", "public"])
def versions(
    request: pytest.FixtureRequest,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Collection[dict[str, Any]]:
    """Some thousand versions, read with and without the private function."""
    if request.param == "public":
        monkeypatch.setattr(arrow, "_array_of_documents_to_buffer", None)
        monkeypatch.setattr(arrow, "_Replies", None)
    else:
        assert arrow._array_of_documents_to_buffer, "pymongo has it no longer: say so in arrow.py"
    database["versions"].insert_many(map(version, range(5_000)))
    return database["versions"]


def version(n: int) -> dict[str, Any]:
    is_gone = n % 7 == 0
    return {
        "_id": Int64((3 << 32) + n),
        "record_key": f'["é{n}"]',
        "payload": None if is_gone else f'{{"n": {n}}}',
        "is_withdrawn": is_gone,
        "extracted_at": NOW,
        "line_hash": None if is_gone else n.to_bytes(16, "big"),
        "record": None if is_gone else {"n": n, "a.b": {"$c": [1, {"d": None}]}},
    }


def test_every_document_comes_once(versions: Collection[dict[str, Any]]) -> None:
    tables = list(arrow.read(versions, COLUMNS, {}, sort=[("_id", 1)], batch_size=1_000))
    assert len(tables) >= 5
    assert all(table.schema == arrow.empty(COLUMNS).schema for table in tables)
    expected = [{name: version(n)[name] for name in COLUMNS} for n in range(5_000)]
    assert pa.concat_tables(tables).to_pylist() == expected


def test_nothing_is_found(versions: Collection[dict[str, Any]]) -> None:
    assert sum(table.num_rows for table in arrow.read(versions, COLUMNS, {"_id": -1})) == 0


def test_an_error_of_the_server_is_told(versions: Collection[dict[str, Any]]) -> None:
    with pytest.raises(OperationFailure, match="unknown top level operator"):
        list(arrow.read(versions, COLUMNS, {"$nonsense": 1}))


def test_parquet(versions: Collection[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "versions.parquet"
    tables = list(arrow.read(versions, COLUMNS, {}, batch_size=700))
    arrow.write_parquet(path, iter(tables), tables[0].schema)
    assert pq.read_table(path)["payload"].to_pylist() == [
        payload for table in tables for payload in table["payload"].to_pylist()
    ]
