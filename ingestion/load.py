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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse, fresh_pipeline

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


@dataclass
class _Table:
    """What there is to load of a dataset."""

    dataset: Dataset
    entries: list[dict[str, Any]]
    """Finished entries of the ledger beyond the watermark that wrote versions, oldest first."""
    path: Path

    @property
    def versions(self) -> int:
        return sum(written(entry) for entry in self.entries)


def load(
    store: Store,
    lease: Lease,
    warehouse: Warehouse,
    datasets: Sequence[Dataset],
    work_dir: Path,
    progress: Progress | None = None,
) -> LoadReport:
    """Append to raw what it does not hold; append nothing where no record changed.

    Args:
        store: document store.
        lease: on it.
        warehouse: where to.
        datasets: what to load.
        work_dir: for files and for dlt.
        progress: called as versions are read.

    Raises:
        WarehouseError: the warehouse is out of reach or refused; the next load completes.
        ReconciliationError: the warehouse was loaded from another MongoDB.
        LockedError: another run took the lease over.
        StoreError: MongoDB is out of reach, or lost versions that its ledger has.
    """
    started = time.monotonic()
    report = LoadReport()
    ledger = store.entries(*(dataset.table for dataset in datasets))
    files = work_dir / "load"
    with warehouse.connect() as raw:
        loaded = raw.ledger()
    tables = []
    for dataset in datasets:
        entries = [entry for entry in ledger if entry["table_name"] == dataset.table]
        watermark = _watermark(dataset, entries, loaded.get(dataset.table, {}))
        beyond = [e for e in entries if e["run_sequence"] > watermark and written(e)]
        if beyond:
            tables.append(_Table(dataset, beyond, files / f"{dataset.table}.parquet"))
    if tables:
        waiting = [
            entry
            for entry in ledger
            if entry["status"] != "running"
            and entry["run_sequence"] not in loaded.get(entry["table_name"], {})
        ]
        try:
            with disk_full(work_dir):
                shutil.rmtree(files, ignore_errors=True)
                files.mkdir(parents=True)
                for table in tables:
                    report.rows[table.dataset.dataset_id] = _write_file(store, table, progress)
            _append(lease, warehouse, tables, waiting, work_dir)
        finally:
            shutil.rmtree(files, ignore_errors=True)
            shutil.rmtree(work_dir / "append", ignore_errors=True)
        report.ledger_rows = len(waiting)
    wrote = [entry for entry in ledger if written(entry)]
    report.newest_run_id = wrote[-1]["run_id"] if wrote else None
    report.seconds = time.monotonic() - started
    return report


def check_known(raw_runs: dict[int, str], dataset: Dataset, entries: list[dict[str, Any]]) -> None:
    """Refuse a warehouse that some other MongoDB filled: run sequences would not compare.

    Args:
        raw_runs: run sequence → run id, in the warehouse.
        dataset: the registry's entry.
        entries: its entries in MongoDB's ledger.

    Raises:
        ReconciliationError: MongoDB does not know one of the runs.
    """
    known = {entry["run_sequence"]: entry["run_id"] for entry in entries}
    for sequence, run_id in raw_runs.items():
        if known.get(sequence) != run_id:
            raise ReconciliationError(
                f"The warehouse holds run {sequence} ({run_id}) of {dataset.dataset_id}, of which "
                "this MongoDB knows nothing: it was emptied, put back from an older copy, or is "
                "another one. Nothing was loaded. Use the MongoDB (COLLEGES_HOME, MONGODB_URI) "
                "this warehouse was loaded from, or another warehouse. If it is an older copy of "
                "that MongoDB: drop its database, and the next run fills it again from raw."
            )


def _watermark(dataset: Dataset, entries: list[dict[str, Any]], raw_runs: dict[int, str]) -> int:
    """The greatest run of a dataset in raw, 0 where there is none."""
    check_known(raw_runs, dataset, entries)
    return max(raw_runs, default=0)


def _write_file(store: Store, table: _Table, progress: Progress | None) -> int:
    """Write the versions of these pulls to the table's file; how many."""
    from ingestion import arrow

    dataset_id, rows = table.dataset.dataset_id, 0
    runs = {entry["run_sequence"]: entry["run_id"] for entry in table.entries}
    counts: dict[int, int] = dict.fromkeys(runs, 0)
    versions = _versions(store, table, runs, counts)
    with mongodb_errors(f"read the versions of {dataset_id}"):
        for rows in arrow.write_parquet(table.path, versions, _schema()):
            if progress:
                progress(dataset_id, rows, table.versions)
    wrote = {entry["run_sequence"]: written(entry) for entry in table.entries}
    check_complete(dataset_id, wrote, counts)
    return rows


def _schema() -> pa.Schema:
    import pyarrow as pa

    columns = {name: _arrow_type(kind) for name, kind in VERSION_COLUMNS.items()}
    return pa.schema(columns | {"run_id": pa.dictionary(pa.int32(), pa.string())})


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    return {
        "text": pa.string(), "bigint": pa.int64(), "bool": pa.bool_(), "double": pa.float64(),
        "timestamp": pa.timestamp("us"),
    }[kind]  # fmt: skip


def _empty_ledger(directory: Path) -> Path:
    """A file without rows, with which dlt makes the table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = directory / f"{LEDGER}.parquet"
    schema = pa.schema({name: _arrow_type(kind) for name, kind in LEDGER_COLUMNS.items()})
    pq.write_table(schema.empty_table(), path)
    return path


def _versions(
    store: Store, table: _Table, runs: dict[int, str], counts: dict[int, int]
) -> Iterator[pa.Table]:
    """The versions in MongoDB with the columns of raw; adds up how many there are of each run."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingestion import arrow

    schema = _schema()
    sequences, ids = pa.array(runs, pa.int64()), pa.array(runs.values(), pa.string())
    columns = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
    query = {"_id": run_range(min(runs), max(runs))}
    for found in arrow.read(store.versions(table.dataset.table), columns, query, sort=[("_id", 1)]):
        places = pc.index_in(found["run_sequence"], value_set=sequences)
        if places.null_count:  # of a pull in between that did not finish
            found, places = found.filter(places.is_valid()), places.drop_null()
        for run, rows in count_runs(found).items():
            counts[run] += rows
        for chunk, batch in zip(places.chunks, found.to_batches(), strict=True):
            yield pa.Table.from_arrays(
                [
                    pa.DictionaryArray.from_arrays(chunk, ids) if column.name == "run_id"
                    else batch.column(column.name).cast(column.type)
                    for column in schema
                ],
                schema=schema,
            )  # fmt: skip


def _append(
    lease: Lease,
    warehouse: Warehouse,
    tables: list[_Table],
    entries: list[dict[str, Any]],
    work_dir: Path,
) -> None:
    """Delete what is beyond the watermark, append the files, count, and commit."""
    import dlt

    pipeline = fresh_pipeline("append", warehouse.destination(), SCHEMA, work_dir)
    files = {table.dataset.table: (table.path, table.versions) for table in tables}
    with warehouse.connect(writable=True) as raw:
        lease.confirm()
        for table in tables:
            if table.dataset.table in raw.tables:
                raw.rows(f"delete from {_beyond(raw, table.dataset.table)}")  # noqa: S608
        if LEDGER not in raw.tables:
            files[LEDGER] = (_empty_ledger(work_dir / "load"), 0)
    resources = [
        dlt.resource(
            [dlt.mark.with_file_import(str(path), "parquet", rows)],
            name=name,
            columns=_hints(LEDGER_COLUMNS if name == LEDGER else VERSION_COLUMNS),
        )
        for name, (path, rows) in files.items()
    ]
    lease.confirm()
    with warehouse.explained():
        pipeline.run(resources, loader_file_format="parquet", write_disposition="append")
    with warehouse.connect(writable=True) as raw:
        for table in tables:
            name = table.dataset.table
            ((count,),) = raw.rows(f"select count(*) from {_beyond(raw, name)}")  # noqa: S608
            if count != table.versions:
                raise WarehouseError(
                    f"{table.dataset.dataset_id}: {table.versions} versions were sent to "
                    f"{SCHEMA}.{name} and {count} arrived. They were not committed: run "
                    "`colleges load` again, which removes them and starts over."
                )
        lease.confirm()
        with raw.transaction():
            for start in range(0, len(entries), INSERT_ROWS):
                page = entries[start : start + INSERT_ROWS]
                row = f"({', '.join(['%s'] * len(LEDGER_COLUMNS))})"
                raw.rows(
                    f"insert into {SCHEMA}.{LEDGER} ({', '.join(LEDGER_COLUMNS)})"  # noqa: S608
                    f" values {', '.join([row] * len(page))}",
                    *(_plain(entry[name]) for entry in page for name in LEDGER_COLUMNS),
                )
    for table in tables:
        logger.info("%s: %d versions appended", table.dataset.dataset_id, table.versions)


def _beyond(raw: Connection, table: str) -> str:
    """The rows of a table beyond its watermark, as what follows `from` in SQL."""
    if LEDGER not in raw.tables:
        return f"{SCHEMA}.{table}"
    return (
        f"{SCHEMA}.{table} where run_sequence > (select coalesce(max(run_sequence), 0)"  # noqa: S608
        f" from {SCHEMA}.{LEDGER} where table_name = '{table}')"
    )


def _hints(columns: dict[str, str]) -> Any:
    """A table's columns as dlt wants them told; a timestamp without zone is UTC."""
    zone = {"timestamp": {"timezone": False}}
    return {name: {"data_type": kind, **zone.get(kind, {})} for name, kind in columns.items()}


def _plain(value: Any) -> Any:
    """A timestamp in UTC as raw holds it; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return int(value) if type(value).__name__ == "Int64" else value
