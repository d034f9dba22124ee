"""Whether MongoDB and raw hold the same; raw loaded anew, MongoDB filled anew from raw."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bson import Int64

from ingestion import records
from ingestion.errors import ReconciliationError, StoreError
from ingestion.load import LoadReport, check_known, load
from ingestion.lock import Lease
from ingestion.mongodb import mongodb_errors
from ingestion.portal import Progress
from ingestion.registry import Dataset
from ingestion.store import (
    INDEX,
    INSERT_ROWS,
    LEDGER_COLUMNS,
    RUN_SIZE,
    VERSION_COLUMNS,
    Store,
    check_complete,
    written,
)  # fmt: skip
from ingestion.warehouse import LEDGER, SCHEMA, Connection, Warehouse

logger = logging.getLogger(__name__)

Sums = dict[int, tuple[int, int]]
"""Run sequence → the number of its versions, and the sum of their hashes."""


def reconcile(store: Store, warehouse: Warehouse, datasets: Sequence[Dataset]) -> None:
    """Check that of each run both stores hold the same versions, as many as the ledger says.

    Compared are the number of versions and the sum of their hashes over key, content hash and state
    of each run; payloads are not read.

    Raises:
        ReconciliationError: they differ; names datasets and runs.
    """
    complaints = []
    with warehouse.connect() as raw:
        for dataset in datasets:
            entries = store.entries(dataset.table, status="finished")
            ledger = {e["run_sequence"]: written(e) for e in entries if written(e)}
            ours = _sums_in_store(store, warehouse, dataset, list(ledger))
            theirs = _sums_in_raw(raw, warehouse, dataset)
            for run in sorted(ledger.keys() | ours.keys() | theirs.keys()):
                counts = (ledger.get(run, 0), ours.get(run, (0, 0))[0], theirs.get(run, (0, 0))[0])
                if len(set(counts)) > 1:
                    complaints.append(
                        f"{dataset.dataset_id}, run {run}: {counts[0]} versions in the ledger, "
                        f"{counts[1]} in MongoDB, {counts[2]} in raw"
                    )
                elif ours.get(run) != theirs.get(run):
                    complaints.append(f"{dataset.dataset_id}, run {run}: other versions")
    if complaints:
        raise ReconciliationError(
            "MongoDB and the warehouse's raw schema do not agree. "
            + "; ".join(complaints[:20])
            + ". Where MongoDB has what its ledger says, `colleges replay` loads raw anew from it; "
            "where raw has, drop MongoDB's database and run again (docs/runbook.md)."
        )


def _sums_in_store(store: Store, warehouse: Warehouse, dataset: Dataset, runs: list[int]) -> Sums:
    if not runs:
        return {}
    import duckdb

    with duckdb.connect() as local:
        local.register("versions", store.read_index(dataset.table))
        return {
            run: (count, int(total))
            for run, count, total in local.execute(
                f"select run_sequence, count(*), sum({warehouse.version_hash_locally})"  # noqa: S608
                f" from versions where run_sequence in ({', '.join(map(str, runs))}) group by 1"
            ).fetchall()
        }


def _sums_in_raw(raw: Connection, warehouse: Warehouse, dataset: Dataset) -> Sums:
    if dataset.table not in raw.tables:
        return {}
    return {
        int(run): (int(count), int(total))
        for run, count, total in raw.rows(
            # As text: the sum has more digits than a number a driver might make of it.
            f"select run_sequence, count(*), cast(sum({warehouse.version_hash}) as varchar)"  # noqa: S608
            f" from {SCHEMA}.{dataset.table} group by 1"
        )
    }


def replay(
    store: Store,
    lease: Lease,
    warehouse: Warehouse,
    datasets: Sequence[Dataset],
    work_dir: Path,
    progress: Progress | None = None,
) -> LoadReport:
    """Drop the tables of raw and load them anew from MongoDB.

    The ledger's rows go first, so that a killed replay leaves tables that count as not loaded.

    Raises:
        StoreError: MongoDB lacks versions of its own ledger; nothing was changed.
        ReconciliationError: raw has runs that this MongoDB does not know; nothing was changed.
    """
    with warehouse.connect() as raw:
        loaded = raw.ledger()
    for dataset in datasets:
        store.held(dataset)  # checks that all is there
        check_known(loaded.get(dataset.table, {}), dataset, store.entries(dataset.table))
    with warehouse.connect(writable=True) as raw:
        lease.confirm()
        if LEDGER in raw.tables:
            names = ", ".join(f"'{dataset.table}'" for dataset in datasets)
            raw.rows(f"delete from {SCHEMA}.{LEDGER} where table_name in ({names})")  # noqa: S608
        for dataset in datasets:
            raw.rows(f"drop table if exists {SCHEMA}.{dataset.table}")
    return load(store, lease, warehouse, datasets, work_dir, progress)


def refill(store: Store, warehouse: Warehouse, datasets: Sequence[Dataset]) -> int:
    """Fill an empty MongoDB from a warehouse that was loaded before.

    Without it the next pull would number its runs from 1 and call every record new. Killed
    anywhere, the next run begins again: the ledger is written under another name, and renamed.

    Returns:
        How many versions were copied.

    Raises:
        StoreError: MongoDB holds versions and no ledger.
        ReconciliationError: raw does not hold what its ledger says.
    """
    database, coming = store.database, store.database["source_load_coming"]
    with mongodb_errors("look for what MongoDB holds"):
        held = [d for d in datasets if database[d.table].find_one({}, {"_id": 1})]
        is_begun = coming.name in database.list_collection_names()
    if held and not is_begun:
        raise StoreError(
            f"MongoDB holds versions ({', '.join(d.table for d in held)}) and its ledger, the "
            "collection `source_load`, is gone: nobody can tell which of them count. Nothing was "
            "changed. Put it back from a backup of MongoDB; or drop the database, and the next run "
            "fills it from what the warehouse holds."
        )
    with warehouse.connect() as raw:
        entries = list(_ledger(raw))
        if not entries:
            return 0
        logger.warning(
            "MongoDB is empty and the warehouse holds %d runs: MongoDB was lost, or is another "
            "one. Filling it from the warehouse.",
            len({entry["run_sequence"] for entry in entries}),
        )
        count = 0
        with mongodb_errors("fill MongoDB from the warehouse"):
            coming.delete_many({})
            coming.insert_many(entries)
            for dataset in datasets:
                mine = [entry for entry in entries if entry["table_name"] == dataset.table]
                database[dataset.table].delete_many({})
                if mine and dataset.table in raw.tables:
                    count += _copy(store, raw, dataset, mine)
            coming.rename(store.ledger.name)
    logger.warning(
        "MongoDB was filled from the warehouse: %d versions, run %d is the latest. Not in the "
        "warehouse, and lost: the quarantine, and what was pulled and never loaded.",
        count, max(entry["run_sequence"] for entry in entries),
    )  # fmt: skip
    return count


def _ledger(raw: Connection) -> Iterator[dict[str, Any]]:
    """The rows of `raw._source_load` as entries of MongoDB's ledger."""
    if LEDGER not in raw.tables:
        return
    query = f"select {', '.join(LEDGER_COLUMNS)} from {SCHEMA}.{LEDGER} order by run_sequence"  # noqa: S608
    for row in raw.stream(query):
        entry = {n: _stored(value) for n, value in zip(LEDGER_COLUMNS, row, strict=True)}
        yield entry | {
            "_id": f"{entry['run_sequence']}/{entry['table_name']}",
            "run_sequence": Int64(entry["run_sequence"]),
        }


def _copy(store: Store, raw: Connection, dataset: Dataset, entries: list[dict[str, Any]]) -> int:
    """Copy the committed versions of a raw table into MongoDB; how many."""
    up_to = max(entry["run_sequence"] for entry in entries)
    counts: dict[int, int] = {}
    rows = raw.stream(
        f"select {', '.join(VERSION_COLUMNS)} from {SCHEMA}.{dataset.table}"  # noqa: S608
        f" where run_sequence <= {up_to} order by run_sequence, record_key"
    )
    while page := list(islice(rows, INSERT_ROWS)):
        documents = []
        for row in page:
            version = {n: _stored(value) for n, value in zip(VERSION_COLUMNS, row, strict=True)}
            run, payload = int(version["run_sequence"]), version["payload"]
            del version["run_id"]  # the ledger has it
            counts[run] = counts.get(run, 0) + 1
            documents.append({
                "_id": Int64(run * RUN_SIZE + counts[run]),
                **version,
                "run_sequence": Int64(run),
                "line_hash": payload and records.line_hash(payload.encode(), dataset),
                "record": payload and records.document(payload),
            })  # fmt: skip
        store.insert(dataset.table, documents)
    wrote = {entry["run_sequence"]: written(entry) for entry in entries if written(entry)}
    try:
        check_complete(dataset.dataset_id, wrote, counts)
    except StoreError as error:
        raise ReconciliationError(
            "MongoDB is empty, and cannot be filled from the warehouse, which does not hold what "
            f"its own ledger says: {error}"
        ) from error
    store.versions(dataset.table).create_index(INDEX, name="held")
    return sum(counts.values())


def _stored(value: Any) -> Any:
    """A timestamp of raw with its zone; anything else as it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
