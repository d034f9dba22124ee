"""Hop 2: what MongoDB holds and the warehouse does not, appended to `raw`.

`raw._source_load` says what is loaded: of each table, the versions up to the greatest run it has
there. Under the lease, in this order:

1. read the versions of finished pulls beyond it into Parquet files, which must hold as many as
   MongoDB's ledger says,
2. delete the rows beyond it, which a killed load left (it is read in the delete itself),
3. have dlt append the files, and count what arrived,
4. insert the ledger's rows, in one transaction: the commit.

Killed anywhere, the next load begins again at 1 and ends the same.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.errors import ReconciliationError, WarehouseError, disk_full
from ingestion.lock import Lease
from ingestion.mongodb import mongodb_errors
from ingestion.portal import Progress
from ingestion.registry import Dataset
from ingestion.store import (
    LEDGER_COLUMNS,
    VERSION_COLUMNS,
    Store,
    check_complete,
    count_runs,
    run_range,
    written,
)  # fmt: skip
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse, fresh_pipeline, hints

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

INSERT_ROWS = 100
"""Rows of the ledger in a statement."""


@dataclass
class LoadReport:
    """What a load did; nothing at all where no record had changed."""

    rows: dict[str, int] = field(default_factory=dict)
    """Dataset id → versions appended."""
    ledger_rows: int = 0
    newest_run_id: str | None = None
    """Of the latest run that wrote a version, all of which raw now holds; None where none did."""
    seconds: float = 0.0

    @property
    def rows_appended(self) -> int:
        return sum(self.rows.values())


def load(
    store: Store,
    lease: Lease,
    warehouse: Warehouse,
    datasets: Sequence[Dataset],
    work_dir: Path,
    progress: Progress | None = None,
) -> LoadReport:
    """Append to raw what it does not hold; append nothing where no record changed.

    Raises:
        WarehouseError: the warehouse is out of reach or refused; the next load completes.
        ReconciliationError: the warehouse was loaded from another MongoDB.
        LockedError: another run took the lease over.
        StoreError: MongoDB is out of reach, or lost versions that its ledger has.
    """
    started = time.monotonic()
    report = LoadReport()
    with warehouse.connect() as raw:
        loaded = raw.ledger()
    ledger, beyond = [], {}
    for dataset in datasets:
        runs = loaded.get(dataset.table, {})
        entries = store.entries(dataset.table)
        check_known(runs, dataset, entries)
        ledger += [entry for entry in entries if written(entry)]
        if new := [e for e in entries if written(e) and e["run_sequence"] > max(runs, default=0)]:
            beyond[dataset.table] = new
    if beyond:
        waiting = [
            entry
            for entry in store.entries(*(dataset.table for dataset in datasets))
            if entry["status"] != "running"
            and entry["run_sequence"] not in loaded.get(entry["table_name"], {})
        ]
        files = work_dir / "load"
        try:
            with disk_full(work_dir):
                shutil.rmtree(files, ignore_errors=True)
                files.mkdir(parents=True)
                for table, entries in beyond.items():
                    rows = _write_file(store, files / f"{table}.parquet", entries, progress)
                    report.rows[entries[0]["dataset"]] = rows
            _append(lease, warehouse, beyond, waiting, files)
        finally:
            shutil.rmtree(files, ignore_errors=True)
            shutil.rmtree(work_dir / "append", ignore_errors=True)
        report.ledger_rows = len(waiting)
    latest = max(ledger, key=lambda entry: entry["run_sequence"], default=None)
    report.newest_run_id = latest["run_id"] if latest else None
    report.seconds = time.monotonic() - started
    return report


def check_known(runs: dict[int, str], dataset: Dataset, entries: list[dict[str, Any]]) -> None:
    """Refuse a warehouse that some other MongoDB filled: run sequences would not compare.

    Args:
        runs: run sequence → run id, in the warehouse.
        dataset: the registry's entry.
        entries: its entries in MongoDB's ledger.

    Raises:
        ReconciliationError: MongoDB does not know one of the runs.
    """
    known = {entry["run_sequence"]: entry["run_id"] for entry in entries}
    if unknown := [f"{run} ({run_id})" for run, run_id in runs.items() if known.get(run) != run_id]:
        raise ReconciliationError(
            f"The warehouse holds run {unknown[0]} of {dataset.dataset_id}, of which this MongoDB "
            "knows nothing: it was emptied, put back from an older copy, or is another one. "
            "Nothing was loaded. Use the MongoDB (COLLEGES_HOME, MONGODB_URI) this warehouse was "
            "loaded from, or another warehouse. If it is an older copy of that MongoDB: drop its "
            "database, and the next run fills it again from raw."
        )


def _write_file(
    store: Store, path: Path, entries: list[dict[str, Any]], progress: Progress | None
) -> int:
    """Write the versions of these pulls to a table's file; how many."""
    from ingestion import arrow

    dataset_id, rows = entries[0]["dataset"], 0
    wrote = {entry["run_sequence"]: written(entry) for entry in entries}
    counts: Counter[int] = Counter()
    with mongodb_errors(f"read the versions of {dataset_id}"):
        for rows in arrow.write_parquet(path, _versions(store, entries, counts), _schema()):
            if progress:
                progress(dataset_id, rows, sum(wrote.values()))
    check_complete(dataset_id, wrote, counts)
    return rows


def _versions(
    store: Store, entries: list[dict[str, Any]], counts: Counter[int]
) -> Iterator[pa.Table]:
    """The versions in MongoDB with the columns of raw; adds up how many there are of each run."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingestion import arrow

    schema = _schema()
    sequences = pa.array([entry["run_sequence"] for entry in entries], pa.int64())
    ids = pa.array([entry["run_id"] for entry in entries], pa.string())
    columns = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
    query = {"_id": run_range(entries[0]["run_sequence"], entries[-1]["run_sequence"])}
    versions = store.versions(entries[0]["table_name"])
    for found in arrow.read(versions, columns, query, sort=[("_id", 1)]):
        # A run in between that did not finish may have left some.
        found = found.filter(pc.is_in(found["run_sequence"], value_set=sequences))
        counts.update(count_runs(found))
        for batch in found.to_batches():
            runs = pc.index_in(batch.column("run_sequence"), value_set=sequences)
            run_ids = pa.DictionaryArray.from_arrays(runs, ids)
            yield pa.Table.from_arrays(
                [
                    run_ids
                    if name == "run_id"
                    else batch.column(name).cast(schema.field(name).type)
                    for name in schema.names
                ],
                schema=schema,
            )


def _schema() -> pa.Schema:
    """Of a file; times are in UTC and say no zone."""
    import pyarrow as pa

    types = {
        "text": pa.string(), "bigint": pa.int64(), "bool": pa.bool_(),
        "timestamp": pa.timestamp("us"),
    }  # fmt: skip
    fields = {name: types[kind] for name, kind in VERSION_COLUMNS.items()}
    return pa.schema(fields | {"run_id": pa.dictionary(pa.int32(), pa.string())})


def _append(
    lease: Lease,
    warehouse: Warehouse,
    beyond: dict[str, list[dict[str, Any]]],
    entries: list[dict[str, Any]],
    files: Path,
) -> None:
    """Delete what is beyond the watermark, append the files, count, and commit.

    `beyond`: table → the finished entries whose versions are in its file; `entries`: what the
    ledger in raw lacks.
    """
    with warehouse.connect(writable=True) as raw:
        lease.confirm()
        for table in beyond.keys() & raw.tables:
            raw.rows(f"delete from {_rest(raw, table)}")  # noqa: S608
        if not beyond.keys() <= raw.tables:  # dlt makes them, unless its own note says it has
            raw.rows(f"drop table if exists {SCHEMA}._dlt_version")
    rows = {table: sum(map(written, new)) for table, new in beyond.items()}
    resources = [_resource(files, table, count) for table, count in rows.items()]
    lease.confirm()
    with warehouse.explained():
        pipeline = fresh_pipeline("append", warehouse.destination(), SCHEMA, files.parent)
        pipeline.run(resources, loader_file_format="parquet", write_disposition="append")
    with warehouse.connect(writable=True) as raw:
        for table, count in rows.items():
            ((arrived,),) = raw.rows(f"select count(*) from {_rest(raw, table)}")  # noqa: S608
            if arrived != count:
                raise WarehouseError(
                    f"{count} versions were sent to {SCHEMA}.{table} and {arrived} arrived. They "
                    "were not committed: run `colleges load` again, which removes them and starts "
                    "over."
                )
        if LEDGER not in raw.tables:
            raw.create(LEDGER, LEDGER_COLUMNS)
        lease.confirm()
        with raw.transaction():
            rest = iter(entries)
            while page := list(islice(rest, INSERT_ROWS)):
                row = f"({', '.join(['%s'] * len(LEDGER_COLUMNS))})"
                raw.rows(
                    f"insert into {SCHEMA}.{LEDGER} ({', '.join(LEDGER_COLUMNS)})"  # noqa: S608
                    f" values {', '.join([row] * len(page))}",
                    *(_without_zone(entry[name]) for entry in page for name in LEDGER_COLUMNS),
                )
    logger.info("appended: %s", ", ".join(f"{n} to {table}" for table, n in rows.items()))


def _resource(files: Path, table: str, rows: int) -> Any:
    """A dlt resource that is a finished file."""
    import dlt

    file = dlt.mark.with_file_import(str(files / f"{table}.parquet"), "parquet", rows)
    return dlt.resource([file], name=table, columns=hints(VERSION_COLUMNS))


def _rest(raw: Connection, table: str) -> str:
    """The rows of a table beyond its watermark, as what follows `from` in SQL."""
    if LEDGER not in raw.tables:
        return f"{SCHEMA}.{table}"
    return (
        f"{SCHEMA}.{table} where run_sequence > (select coalesce(max(run_sequence), 0)"  # noqa: S608
        f" from {SCHEMA}.{LEDGER} where table_name = '{table}')"
    )


def _without_zone(value: Any) -> Any:
    """A timestamp in UTC as raw holds it; anything else as it is."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
