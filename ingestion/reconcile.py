"""Whether MongoDB and raw hold the same; raw loaded anew, MongoDB filled anew from raw."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import Int64

from ingestion import records
from ingestion import store as stores
from ingestion.errors import ReconciliationError, StoreError
from ingestion.load import LoadReport, check_known, load
from ingestion.lock import Lease
from ingestion.mongodb import mongodb_errors
from ingestion.registry import Dataset
from ingestion.store import LEDGER_COLUMNS, VERSION_COLUMNS, Document, Store, written
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse

logger = logging.getLogger(__name__)

Sums = dict[int, tuple[int, int]]
"""Run sequence → the number of its versions, and the sum of their hashes."""
_SUMS = (
    # As text: the sum has more digits than a number a driver might make of it.
    "select run_sequence, count(*), cast(sum({hash}) as varchar) from {table} group by 1"
)


def reconcile(store: Store, warehouse: Warehouse, datasets: Sequence[Dataset]) -> None:
    """Check that of each run both stores hold as many versions as the ledger says, and the same.

    The sum of their hashes over key, content hash and state says so; payloads are not read. A
    ReconciliationError names datasets and runs.
    """
    import duckdb

    complaints = []
    with warehouse.connect() as raw, duckdb.connect() as local:
        for dataset in datasets:
            entries = store.entries(dataset.table)
            ledger = {e["run_sequence"]: written(e) for e in entries}
            ours, theirs = Sums(), Sums()
            if any(ledger.values()):
                local.register("versions", store.read_index(dataset.table))
                query = _SUMS.format(hash=warehouse.version_hash_locally, table="versions")
                found = _sums(local.execute(query).fetchall())
                # Of a run that was taken for dead and wrote on until it noticed, nothing counts.
                ours = {run: sums for run, sums in found.items() if ledger.get(run, 1)}
            if dataset.table in raw.tables:
                table = f"{SCHEMA}.{dataset.table}"
                theirs = _sums(raw.rows(_SUMS.format(hash=warehouse.version_hash, table=table)))
            for run in sorted(ledger.keys() | ours.keys() | theirs.keys()):
                counts = (ledger.get(run, 0), ours.get(run, (0, 0))[0], theirs.get(run, (0, 0))[0])
                told = "{} versions in the ledger, {} in MongoDB, {} in raw".format(*counts)
                if len(set(counts)) == 1:
                    told = "other versions" if ours.get(run) != theirs.get(run) else ""
                if told:
                    complaints.append(f"{dataset.dataset_id}, run {run}: {told}")
    if complaints:
        raise ReconciliationError(
            "MongoDB and the warehouse's raw schema do not agree. "
            + "; ".join(complaints[:20])
            + ". Where MongoDB has what its ledger says, `colleges replay` loads raw anew from it; "
            "where raw has, drop MongoDB's database and run again (docs/runbook.md)."
        )


def _sums(rows: list[tuple[Any, ...]]) -> Sums:
    return {int(run): (int(count), int(total)) for run, count, total in rows}


def replay(
    store: Store, lease: Lease, warehouse: Warehouse, datasets: Sequence[Dataset], work_dir: Path
) -> LoadReport:
    """Drop the tables of raw and load them anew from MongoDB.

    The ledger's rows go first, so that a killed replay leaves tables that count as not loaded.
    Nothing is changed where MongoDB lacks versions, or raw has runs that it does not know.
    """
    for dataset in datasets:
        store.held(dataset)  # checks that all is there
    with warehouse.connect() as raw:
        entries = store.entries(*(dataset.table for dataset in datasets))
        check_known(raw.ledger(), datasets, entries)
    with warehouse.connect(writable=True) as raw:
        lease.confirm()
        if LEDGER in raw.tables:
            names = ", ".join(f"'{dataset.table}'" for dataset in datasets)
            raw.rows(f"delete from {SCHEMA}.{LEDGER} where table_name in ({names})")  # noqa: S608
        for dataset in datasets:
            raw.rows(f"drop table if exists {SCHEMA}.{dataset.table}")
    return load(store, lease, warehouse, datasets, work_dir)


def refill(store: Store, warehouse: Warehouse, datasets: Sequence[Dataset]) -> int:
    """Fill an empty MongoDB from a warehouse that was loaded before; a filled one is left alone.

    Without it the next pull would number its runs from 1 and call every record new. Killed
    anywhere, the next run begins again: the ledger is written under another name, and renamed.

    Returns:
        How many versions were copied.
    """
    database, coming = store.database, store.database["source_load_coming"]
    with mongodb_errors("look for what MongoDB holds"):
        if store.ledger.find_one({}, {"_id": 1}):
            return 0
        held = [d.table for d in datasets if database[d.table].find_one({}, {"_id": 1})]
        is_killed = coming.find_one({}, {"_id": 1})
    if held and not is_killed:
        raise StoreError(
            f"MongoDB holds versions ({', '.join(held)}) and its ledger, the collection "
            "`source_load`, is gone: nobody can tell which of them count. Nothing was changed. Put "
            "it back from a backup of MongoDB; or drop the database, and the next run fills it "
            "from what the warehouse holds."
        )
    with warehouse.connect() as raw:
        entries = list(_rows(raw, LEDGER, LEDGER_COLUMNS, "true"))
        if not entries:
            return 0
        latest, count = max(int(entry["run_sequence"]) for entry in entries), 0
        logger.warning(
            "MongoDB is empty and the warehouse holds runs up to %d: MongoDB was lost, or is "
            "another one. Filling it from the warehouse.", latest,
        )  # fmt: skip
        for entry in entries:
            entry["_id"] = f"{entry['run_sequence']}/{entry['table_name']}"
            entry["run_sequence"] = Int64(entry["run_sequence"])
        with mongodb_errors("fill MongoDB from the warehouse"):
            coming.delete_many({})
            coming.insert_many(entries)
            for dataset in datasets:
                database[dataset.table].delete_many({})
                mine = [entry for entry in entries if entry["table_name"] == dataset.table]
                count += _copy(store, raw, dataset, mine)
            coming.rename(store.ledger.name, dropTarget=True)
    logger.warning(
        "MongoDB was filled from the warehouse: %d versions, run %d is the latest. Not in the "
        "warehouse, and lost: the quarantine, and what was pulled and never loaded.", count, latest,
    )  # fmt: skip
    return count


def _copy(store: Store, raw: Connection, dataset: Dataset, entries: list[Document]) -> int:
    """Copy the committed versions of a raw table into MongoDB; how many."""
    up_to = max((entry["run_sequence"] for entry in entries), default=0)
    where = f"run_sequence <= {up_to} order by run_sequence, record_key"

    hash_of = records.line_hasher(dataset)

    def versions() -> Iterator[Document]:
        rows = _rows(raw, dataset.table, VERSION_COLUMNS, where)
        for number, version in enumerate(rows, 1):
            del version["run_id"]  # the ledger has it
            run, payload = int(version["run_sequence"]), version["payload"]
            own = {"run_sequence": run, "line_hash": payload and hash_of(payload.encode())}
            yield stores.as_version(number, version | own)

    store.insert(dataset.table, versions())
    count, expected = store.database[dataset.table].count_documents({}), sum(map(written, entries))
    if count != expected:
        raise ReconciliationError(
            "MongoDB is empty, and cannot be filled from the warehouse, which does not hold what "
            f"its own ledger says: {count} versions of {dataset.dataset_id} in place of {expected}."
        )
    return count


def _rows(
    raw: Connection, table: str, columns: dict[str, str], where: str
) -> Iterator[dict[str, Any]]:
    """The rows of a table of raw, if there is one, as documents: times with their zone."""
    if table in raw.tables:
        query = f"select {', '.join(columns)} from {SCHEMA}.{table} where {where}"  # noqa: S608
        for row in raw.stream(query):
            values = (v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for v in row)
            yield dict(zip(columns, values, strict=True))
