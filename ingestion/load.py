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
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import store as stores
from ingestion.errors import ReconciliationError, WarehouseError, disk_full
from ingestion.lock import Lease
from ingestion.mongodb import mongodb_errors
from ingestion.portal import Progress
from ingestion.registry import Dataset
from ingestion.store import LEDGER_COLUMNS, VERSION_COLUMNS, Document, Store, written
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse, fresh_pipeline, hints

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass
class LoadReport:
    """What a load did; nothing at all where no record had changed."""

    rows: dict[str, int] = field(default_factory=dict)  # table → versions appended
    ledger_rows: int = 0
    newest_run_id: str | None = None  # of the latest run that wrote a version; raw holds them all

    @property
    def rows_appended(self) -> int:
        return sum(self.rows.values())


def load(
    store: Store, lease: Lease, warehouse: Warehouse, datasets: Sequence[Dataset], work_dir: Path,
    progress: Progress | None = None,
) -> LoadReport:  # fmt: skip
    """Append to raw what it does not hold; append nothing where no record changed.

    Raises:
        WarehouseError: the warehouse is out of reach or refused; the next load completes.
        ReconciliationError: the warehouse was loaded from another MongoDB.
        LockedError: another run took the lease over.
        StoreError: MongoDB is out of reach, or lost versions that its ledger has.
    """
    report = LoadReport()
    with warehouse.connect() as raw:
        loaded = raw.ledger()
    entries = store.entries(*(dataset.table for dataset in datasets))
    check_known(loaded, datasets, entries)
    beyond: dict[str, list[Document]] = {}
    for entry in filter(written, entries):
        report.newest_run_id, table = entry["run_id"], entry["table_name"]
        if entry["run_sequence"] > max(loaded.get(table, {}), default=0):
            beyond.setdefault(table, []).append(entry)
    if not beyond:
        return report
    waiting = [
        entry
        for entry in entries
        if entry["status"] != "running"
        and entry["run_sequence"] not in loaded.get(entry["table_name"], {})
    ]
    files = work_dir / "load"
    try:
        with disk_full(work_dir):
            shutil.rmtree(files, ignore_errors=True)
            files.mkdir(parents=True)
            for table, new in beyond.items():
                report.rows[table] = _write_file(store, files, new, progress)
        _append(lease, warehouse, report.rows, waiting, files)
    finally:
        shutil.rmtree(files, ignore_errors=True)
    report.ledger_rows = len(waiting)
    return report


def check_known(
    loaded: dict[str, dict[int, str]], datasets: Sequence[Dataset], entries: list[Document]
) -> None:
    """Refuse a warehouse that some other MongoDB filled: run sequences would not compare.

    `loaded`: table → run sequence → run id, in the warehouse; `entries`: of MongoDB's ledger.
    """
    known = {(e["table_name"], e["run_sequence"], e["run_id"]) for e in entries}
    tables = [dataset.table for dataset in datasets]
    theirs = {(t, run, run_id) for t in tables for run, run_id in loaded.get(t, {}).items()}
    for table, run, run_id in sorted(theirs - known)[:1]:
        raise ReconciliationError(
            f"The warehouse holds run {run} ({run_id}) of {table}, of which this MongoDB knows "
            "nothing: it was emptied, put back from an older copy, or is another one. Nothing was "
            "loaded. Use the MongoDB (COLLEGES_HOME, MONGODB_URI) this warehouse was loaded from, "
            "or another warehouse. If it is an older copy of that MongoDB: drop its database, and "
            "the next run fills it again from raw."
        )


def _write_file(
    store: Store, files: Path, entries: list[Document], progress: Progress | None
) -> int:
    """Write the versions of these pulls of one table to its file; how many."""
    import pyarrow as pa

    from ingestion import arrow

    dataset_id, table, rows = entries[0]["dataset"], entries[0]["table_name"], 0
    expected, counts = sum(map(written, entries)), Counter[int]()
    fields = {field.name: field.type for field in arrow.empty(VERSION_COLUMNS).schema}
    fields["extracted_at"] = pa.timestamp("us")  # in UTC, and says no zone
    schema = pa.schema(fields | {"run_id": pa.dictionary(pa.int32(), pa.string())})
    tables = (t.select(schema.names).cast(schema) for t in _versions(store, entries, counts))
    with mongodb_errors(f"read the versions of {dataset_id}"):
        for rows in arrow.write_parquet(files / f"{table}.parquet", tables, schema):
            if progress:
                progress(dataset_id, rows, expected)
    stores.check_complete(dataset_id, entries, counts)
    return rows


def _versions(store: Store, entries: list[Document], counts: Counter[int]) -> Iterator[pa.Table]:
    """The versions in MongoDB with their run's id; adds up how many there are of each run."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingestion import arrow

    sequences = pa.array([entry["run_sequence"] for entry in entries], pa.int64())
    ids = pa.array([entry["run_id"] for entry in entries]).dictionary_encode()
    columns = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
    query = {"_id": stores.run_range(entries[0]["run_sequence"], entries[-1]["run_sequence"])}
    versions = store.versions(entries[0]["table_name"])
    for found in arrow.read(versions, columns, query, sort=[("_id", 1)]):
        runs = pc.index_in(found["run_sequence"], value_set=sequences)
        # A run in between that did not finish may have left some.
        found = found.append_column("run_id", ids.take(runs.combine_chunks())).filter(
            runs.is_valid()
        )
        counts.update(stores.count_runs(found))
        yield found


def _append(
    lease: Lease, warehouse: Warehouse, rows: dict[str, int], entries: list[Document], files: Path
) -> None:
    """Delete what is beyond the watermark, append the files, count, and commit.

    `rows`: table → how many are in its file; `entries`: what the ledger in raw lacks.
    """
    with warehouse.connect(writable=True) as raw:
        lease.confirm()
        for table in rows.keys() & raw.tables:
            raw.rows(f"delete from {_rest(raw, table)}")  # noqa: S608
        if not rows.keys() <= raw.tables:  # dlt makes them, unless its own note says it has
            raw.rows(f"drop table if exists {SCHEMA}._dlt_version")
    lease.confirm()
    with warehouse.explained():
        pipeline = fresh_pipeline("append", warehouse.destination(), SCHEMA, files.parent)
        resources = [_resource(files, table, count) for table, count in rows.items()]
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
        raw.create(LEDGER, LEDGER_COLUMNS)
        lease.confirm()
        raw.insert(LEDGER, LEDGER_COLUMNS, entries)
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
