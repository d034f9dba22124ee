"""Stores of a test's own, cloned from a baseline, and processes that end where they are told."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from ingestion.registry import Dataset, registry
from ingestion.settings import PROJECT_DIR
from ingestion.store import WRITTEN
from sandbox.sample import write_sample
from tests.marts import build_marts
from tests.programs import one_home, programs

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

    def refuse(self, store: Store, command: str, *said: str, **job: Any) -> str:
        """Run one job that must fail and say all of that; its log."""
        answer = self.run(store, command, **job)
        assert answer["exit"] == 1, answer
        log: str = answer["log"]
        assert [words for words in said if words not in log] == [], log
        return log

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Dbt(NamedTuple):
    """What came of a dbt command."""

    exit_code: int
    statuses: dict[str, str]
    """By name of the node."""
    log: str


@dataclass
class Store:
    """A home, and a database of the shared server in place of a mongod of its own."""

    home: Path
    server: str
    database: str

    @property
    def uri(self) -> str:
        return self.server.replace("/?", f"/{self.database}?")

    @contextmanager
    def mongodb(self) -> Iterator[Database[dict[str, Any]]]:
        with MongoClient[dict[str, Any]](self.uri, tz_aware=True) as client:
            yield client[self.database]

    def clone(self, home: Path) -> Store:
        """The same records, ledger and warehouse elsewhere."""
        twin = Store(home, self.server, f"fault_{uuid.uuid4().hex[:12]}")
        shutil.copytree(self.home, home)
        with self.mongodb() as source:
            target = source.client[twin.database]
            for name in source.list_collection_names():
                if documents := list(source[name].find()):
                    target[name].insert_many(documents)
        return twin

    def drop(self) -> None:
        with self.mongodb() as database:
            database.client.drop_database(database)
        shutil.rmtree(self.home, ignore_errors=True)

    def histories(self) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
        """Dataset → record key → its versions in the order of runs, whatever the runs' numbers.

        Only versions of finished pulls: what else there is must not count.
        """
        found: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
        with self.mongodb() as database:
            for dataset in registry().values():
                histories: dict[str, list[tuple[Any, ...]]] = {}
                for version in database[dataset.table].find(
                    {"run_sequence": {"$in": finished_runs(database, dataset)}},
                    sort=[("run_sequence", 1)],
                ):
                    histories.setdefault(version["record_key"], []).append(
                        (version["content_hash"], version["payload"], version["is_withdrawn"])
                    )
                found[dataset.dataset_id] = histories
        return found

    def leftovers(self) -> int:
        """What is of pulls that did not finish, or of nothing, and leases held by nobody."""
        count = 0
        with self.mongodb() as database:
            for dataset in registry().values():
                of_others = {"run_sequence": {"$nin": finished_runs(database, dataset)}}
                count += database[dataset.table].count_documents(of_others)
                count += database["quarantine"].count_documents(
                    {"table_name": dataset.table, **of_others}
                )
            return count + database["lease"].count_documents({})

    def quarantine(self) -> list[tuple[Any, ...]]:
        """All that was kept out, without times and runs, in order; the bytes as their hash.

        A pull with such lines is pulled again by the next run: what came twice stands here once.
        """
        said = ("dataset", "line_number", "record_key", "reason", "detail", "size")
        lines: dict[str, list[dict[str, Any]]] = {}
        with self.mongodb() as database:
            for document in database["quarantine"].find(sort=[("part", 1)]):
                lines.setdefault(document["_id"].rpartition("/")[0], []).append(document)
        found = set()
        for parts in lines.values():
            content = zlib.decompress(b"".join(part["compressed"] for part in parts))
            digest = sha256(content).hexdigest()
            found.add((*(parts[0][name] for name in said), len(parts), digest))
        return sorted(found, key=repr)

    def raw(self) -> dict[str, list[tuple[Any, ...]]]:
        """Raw table → all its rows without times and run ids, sorted; ``_source_load`` too."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            tables = connection.execute(
                "select table_name from information_schema.tables where table_schema = 'raw'"
                " and (contains(table_name, '__') or table_name = '_source_load')"
            ).fetchall()
            # What a load adds for itself is its own (dlt's two columns are not made).
            return {
                table: connection.execute(
                    f"select {_without_times(connection, f'raw.{table}')}"
                    f" from raw.{table} order by all"
                ).fetchall()
                for (table,) in tables
            }

    def raw_by_rank(self) -> dict[str, list[tuple[Any, ...]]]:
        """The same, with runs numbered by their order within the dataset; of the ledger, the pulls
        that wrote versions.

        A pull with refused lines is pulled again by the next run, which finds nothing new: a run
        that was killed after such a pull has one more of these in its ledger.
        """
        found = {}
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            for table in ("_source_load", *(dataset.table for dataset in registry().values())):
                if columns := _without_times(connection, f"raw.{table}", "run_sequence"):
                    is_ledger = table == "_source_load"
                    within = "partition by dataset" if is_ledger else ""
                    which = (
                        f"where status = 'finished' and {' + '.join(WRITTEN)} > 0"
                        if is_ledger
                        else ""
                    )
                    found[table] = connection.execute(
                        f"select {columns}, dense_rank() over ({within} order by run_sequence)"
                        f" from raw.{table} {which} order by all"
                    ).fetchall()
        return found

    def build(self, *models: str) -> None:
        """These models and snapshots, and what they are made of, without a test and without dbt."""
        build_marts(self.home / "warehouse.duckdb", *models)

    def dbt(self, command: str, *arguments: str) -> Dbt:
        """A dbt command on the warehouse, whatever comes of it."""
        target = self.home.with_name(f"{self.home.name}-dbt")
        where = ("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR))
        environ = os.environ | one_home().environ(self.home, target)
        done = programs.run(["-m", "ingestion.dbt", command, *where, *arguments], environ)
        one_home().keep(target)
        told = json.loads((target / "run_results.json").read_text())["results"]
        statuses = {result["unique_id"].split(".")[2]: result["status"] for result in told}
        return Dbt(done.returncode, statuses, done.stdout + done.stderr)

    def model(self, name: str) -> list[tuple[Any, ...]]:
        """A model's rows without times and runs, sorted; of a snapshot, whether each holds."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            columns = _without_times(connection, name, "run_sequence", "dbt_scd_id")
            if name.startswith("snapshots."):
                columns += ", dbt_valid_to is null"
            return connection.execute(f"select {columns} from {name} order by all").fetchall()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def finished_runs(database: Database[dict[str, Any]], dataset: Dataset) -> list[int]:
    """The runs whose versions of a dataset count."""
    return database["source_load"].distinct(
        "run_sequence", {"dataset": dataset.dataset_id, "status": "finished"}
    )


_TIMES = ("started_at", "finished_at", "extracted_at", "detected_at", "duration_s", "run_id")
_OF_DBT = ("dbt_valid_from", "dbt_valid_to", "dbt_updated_at")


def _without_times(connection: duckdb.DuckDBPyConnection, table: str, *but: str) -> str:
    """The columns that two runs of one story agree on, the portal's dates too, but some."""
    schema, name = table.split(".")
    columns = connection.execute(
        "select column_name from information_schema.columns"
        f" where table_schema = '{schema}' and table_name = '{name}' order by ordinal_position"
    ).fetchall()
    return ", ".join(column for (column,) in columns if column not in _TIMES + _OF_DBT + but)


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
    mongod: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    made: list[Store] = []

    def make() -> Store:
        home = tmp_path_factory.mktemp("home")
        made.append(Store(home, mongod, f"fault_{uuid.uuid4().hex[:12]}"))
        return made[-1]

    yield make
    for store in made:
        store.drop()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path is short enough for mongod's socket."""
    with tempfile.TemporaryDirectory(prefix="colleges-fault-", dir="/tmp") as path:
        yield Path(path)


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
