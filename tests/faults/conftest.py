"""Stores of a test's own, cloned from a baseline, and processes that end where they are told."""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pymongo import MongoClient

from ingestion.mongod import EmbeddedMongod
from ingestion.registry import registry
from ingestion.sample import write_sample
from ingestion.settings import PROJECT_DIR

TIMEOUT_S = 120
COLLEGES = "etablissements-scolaires-colleges"
IPS = "fr-en-ips-colleges-ap2022"
FEW = [COLLEGES, IPS]
"""One dataset that is read whole and one that is filtered, whose count takes a request of its own:
enough where a fault is not about many."""


class Jobs:
    """The fork server of tripwire.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.tripwire"],
            cwd=PROJECT_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, store: Store, command: str, **job: Any) -> dict[str, Any]:
        """Run one job to its end, whatever end that is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"home": str(store.home), "mongodb_uri": store.uri, "command": command, **job}
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], TIMEOUT_S)
        assert ready, f"{command} did not end within {TIMEOUT_S} s: {request}"
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def succeed(self, store: Store, command: str, **job: Any) -> dict[str, Any]:
        answer = self.run(store, command, **job)
        assert (answer["signal"], answer["exit"]) == (0, 0), answer
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class Store:
    """A home, and a database of the shared server in place of a mongod of its own."""

    home: Path
    server: str
    database: str

    @property
    def uri(self) -> str:
        return self.server.replace("/?", f"/{self.database}?")

    def clone(self, home: Path) -> Store:
        """The same records, ledger and warehouse elsewhere."""
        twin = Store(home, self.server, f"fault_{uuid.uuid4().hex[:12]}")
        shutil.copytree(self.home, home)
        with MongoClient[dict[str, Any]](self.uri) as client:
            source, target = client[self.database], client[twin.database]
            for name in source.list_collection_names():
                if documents := list(source[name].find()):
                    target[name].insert_many(documents)
        return twin

    def drop(self) -> None:
        with MongoClient[dict[str, Any]](self.uri) as client:
            client.drop_database(self.database)
        shutil.rmtree(self.home, ignore_errors=True)

    def histories(self) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
        """Dataset → record key → its versions in the order of runs, whatever the runs' numbers.

        Only versions of finished loads: what else there is must not count.
        """
        found: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
        with MongoClient[dict[str, Any]](self.uri, tz_aware=True) as client:
            database = client[self.database]
            for dataset in registry().values():
                finished = database["runs"].distinct(
                    "_id", {f"loads.{dataset.dataset_id}.status": "finished"}
                )
                histories: dict[str, list[tuple[Any, ...]]] = {}
                for version in database[dataset.table].find(
                    {"run_sequence": {"$in": finished}}, sort=[("run_sequence", 1)]
                ):
                    histories.setdefault(version["record_key"], []).append(
                        (version["content_hash"], version["payload"], version["is_withdrawn"])
                    )
                found[dataset.dataset_id] = histories
        return found

    def leftovers(self) -> int:
        """Versions of loads that did not finish, and locks held by nobody."""
        count = 0
        with MongoClient[dict[str, Any]](self.uri) as client:
            database = client[self.database]
            for dataset in registry().values():
                finished = database["runs"].distinct(
                    "_id", {f"loads.{dataset.dataset_id}.status": "finished"}
                )
                count += database[dataset.table].count_documents(
                    {"run_sequence": {"$nin": finished}}
                )
            return count + database["locks"].count_documents({})

    def raw(self) -> dict[str, list[tuple[Any, ...]]]:
        """Raw table → all its rows, sorted."""
        columns = "record_key, run_sequence, content_hash, payload, is_withdrawn"
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            rows = {
                table: connection.execute(
                    f"select {columns} from raw.{table} order by all"
                ).fetchall()
                for (table,) in connection.execute(
                    "select table_name from information_schema.tables"
                    " where table_schema = 'raw' and contains(table_name, '__')"
                ).fetchall()
            }
            rows["_source_load"] = connection.execute(
                "select run_sequence, dataset, status, rows_received, rows_new, rows_changed,"
                " rows_withdrawn, rows_present from raw._source_load order by all"
            ).fetchall()
        return rows

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def rewritten(
    state: Path, out: Path, dataset_id: str, change: Callable[[list[bytes]], list[bytes]]
) -> Path:
    """A copy of a portal state with other lines in one dataset, and the count they make."""
    shutil.copytree(state, out)
    (records,) = out.glob(f"*/{dataset_id}/records.jsonl")
    lines = change(records.read_bytes().splitlines())
    records.write_bytes(b"".join(line + b"\n" for line in lines))
    metadata = records.with_name("dataset.json")
    document = json.loads(metadata.read_bytes())
    document["metas"]["default"]["records_count"] = len(lines)
    processed = document["metas"]["default"]["data_processed"]
    document["metas"]["default"]["data_processed"] = processed.replace("20", "21", 1)
    metadata.write_text(json.dumps(document))
    return out


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The synthetic sample's portal states, in order."""
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def jobs() -> Iterator[Jobs]:
    server = Jobs()
    yield server
    server.close()


@pytest.fixture(scope="session")
def make_store(
    mongod: EmbeddedMongod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    made: list[Store] = []

    def make() -> Store:
        home = tmp_path_factory.mktemp("home")
        made.append(Store(home, mongod.uri, f"fault_{uuid.uuid4().hex[:12]}"))
        return made[-1]

    yield make
    for store in made:
        store.drop()


@pytest.fixture
def cloned(tmp_path: Path) -> Iterator[Callable[[Store], Store]]:
    """A maker of clones, dropped after the test."""
    made: list[Store] = []

    def clone(store: Store) -> Store:
        made.append(store.clone(tmp_path / f"home{len(made)}"))
        return made[-1]

    yield clone
    for store in made:
        store.drop()


def spread(events: int, points: int, nth: int) -> int:
    """The ``nth`` of ``points`` events, spread evenly over ``1 … events``, both ends included."""
    return 1 + round(nth * (events - 1) / (points - 1))
