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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import store as stores
from ingestion.errors import ReconciliationError, WarehouseError, disk_full
from ingestion.lock import Lease
from ingestion.mongodb import mongodb_errors
from ingestion.registry import Dataset
from ingestion.store import LEDGER_COLUMNS, VERSION_COLUMNS, Document, Store, written
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse, fresh_pipeline, hints

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass
class LoadReport:
    """What a load did; nothing at all where no record had changed."""

    rows_appended: int = 0  # versions
    ledger_rows: int = 0
    newest_run_id: str | None = None  # of the latest run that wrote a version; raw holds them all


def load(
    store: Store, lease: Lease, warehouse: Warehouse, datasets: Sequence[Dataset], work_dir: Path
) -> LoadReport:
    """Append to raw what it does not hold; nothing where no record changed."""
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
            for new in beyond.values():
                _write_file(store, files, new)
        rows = {table: sum(map(written, new)) for table, new in beyond.items()}
        _append(lease, warehouse, rows, waiting, files)
    finally:
        shutil.rmtree(files, ignore_errors=True)
    report.rows_appended, report.ledger_rows = sum(rows.values()), len(waiting)
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


def _write_file(store: Store, files: Path, entries: list[Document]) -> None:
    """Write the versions of these pulls of one table to its file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ingestion import arrow

    dataset_id, file = entries[0]["dataset"], files / f"{entries[0]['table_name']}.parquet"
    logger.info("%s: reading %d versions", dataset_id, sum(map(written, entries)))
    fields = {field.name: field.type for field in arrow.empty(VERSION_COLUMNS).schema}
    fields["extracted_at"] = pa.timestamp("us")  # in UTC, and says no zone
    schema = pa.schema(fields | {"run_id": pa.dictionary(pa.int32(), pa.string())})
    tables = (found.select(schema.names).cast(schema) for found in _versions(store, entries))
    with mongodb_errors(f"read the versions of {dataset_id}"):
        arrow.write_parquet(file, tables, schema)
    found = pq.read_table(file, columns=["run_sequence"])
    stores.check_complete(dataset_id, entries, stores.count_runs(found))


def _versions(store: Store, entries: list[Document]) -> Iterator[pa.Table]:
    """The versions in MongoDB with their run's id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingestion import arrow

    sequences = pa.array([entry["run_sequence"] for entry in entries], pa.int64())
    ids = pa.array([entry["run_id"] for entry in entries]).dictionary_encode()
    columns = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
    query = {"_id": stores.run_range(entries[0]["run_sequence"], entries[-1]["run_sequence"])}
    versions = store.database[entries[0]["table_name"]]
    for found in arrow.read(versions, columns, query, sort=[("_id", 1)]):
        runs = pc.index_in(found["run_sequence"], value_set=sequences)
        run_ids = ids.take(runs.combine_chunks())
        # A run in between that did not finish may have left some.
        yield found.append_column("run_id", run_ids).filter(runs.is_valid())


def _append(
    lease: Lease, warehouse: Warehouse, rows: dict[str, int], entries: list[Document], files: Path
) -> None:
    """Delete what is beyond the watermark, append the files, count, and commit.

    `rows`: table → how many are in its file; `entries`: what the ledger in raw lacks.
    """
    # Open all the while: dlt opens a connection a step, and a file that is open opens at once.
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
        for table, count in rows.items():
            ((arrived,),) = raw.rows(f"select count(*) from {_rest(raw, table)}")  # noqa: S608
            if arrived != count:
                raise WarehouseError(
                    f"{count} versions were sent to {SCHEMA}.{table} and {arrived} arrived. They "
                    "were not committed: run `colleges load` again, which removes them and starts "
                    "over."
                )
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
