"""MongoDB rebuilt from raw, where MongoDB was lost and the warehouse was not.

raw holds every version of every committed load and the ledger of its runs, so both can be written
back as they were. Not in raw, and gone: the quarantine, the profiles, and runs that changed nothing
since the last load that carried data.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ingestion.compare import Version, raw_tables
from ingestion.document_store import WRITTEN_COUNTS, DocumentStore, StoredVersion
from ingestion.errors import ReconciliationError
from ingestion.raw_files import LEDGER, LEDGER_COLUMNS
from ingestion.registry import Dataset, registry
from ingestion.settings import Settings
from ingestion.warehouse import SCHEMA, Connection, open_warehouse

logger = logging.getLogger(__name__)


def restore_if_lost(store: DocumentStore, settings: Settings) -> int:
    """Rebuild an empty MongoDB from a warehouse that was loaded before; else do nothing.

    Without it the next pull would number its runs from 1 and call every record new, and the
    warehouse would refuse to be loaded from a store that contradicts it. Killed anywhere, the next
    run begins again.

    Args:
        store: document store, locked by the caller.
        settings: which warehouse.

    Returns:
        How many versions were written back.

    Raises:
        ReconciliationError: a version in raw does not have the key or the hash it was stored under,
            or raw holds fewer than its ledger says.
        WarehouseError: the warehouse is out of reach.
        StoreError: MongoDB is out of reach.
    """
    if not store.is_blank():
        return 0
    with open_warehouse(settings).connect() as connection:
        tables = raw_tables(connection)
        if LEDGER not in tables:
            return 0
        ledger = list(_ledger(connection))
        if not ledger:
            return 0
        logger.warning(
            "MongoDB is empty and the warehouse holds %d runs: MongoDB was lost, or is another "
            "one. Rebuilding it from the warehouse.",
            len({row["run_sequence"] for row in ledger}),
        )
        store.begin_restore(registry().values())
        count = 0
        for dataset in registry().values():
            rows = [row for row in ledger if row["table_name"] == dataset.table]
            if rows:
                versions = _versions(connection, tables, dataset, rows)
                count += store.restore_versions(dataset, versions)
        store.finish_restore(ledger)
    logger.warning(
        "MongoDB was rebuilt from the warehouse: %d versions, run %d is the latest. Not in the "
        "warehouse, and lost: the quarantine, and what was pulled and never loaded.",
        count, max(row["run_sequence"] for row in ledger),
    )  # fmt: skip
    return count


def _ledger(connection: Connection) -> Iterator[dict[str, Any]]:
    """The rows of ``raw._source_load`` as `DocumentStore.ledger_rows` gave them."""
    names = list(LEDGER_COLUMNS)
    query = f"select {', '.join(names)} from {SCHEMA}.{LEDGER} order by run_sequence"  # noqa: S608
    for row in connection.stream(query):
        yield {name: _in_utc(value) for name, value in zip(names, row, strict=True)}


def _versions(
    connection: Connection, tables: frozenset[str], dataset: Dataset, rows: list[dict[str, Any]]
) -> Iterator[StoredVersion]:
    """The committed versions of one raw table: sound, each once, as many as its ledger says."""
    up_to = max(row["run_sequence"] for row in rows)
    query = (
        f"select {', '.join(Version._fields)}"  # noqa: S608
        f" from {SCHEMA}.{dataset.table} where run_sequence <= {up_to}"
        " order by record_key, run_sequence"
    )
    held: Counter[int] = Counter()
    last: Version | None = None
    for row in connection.stream(query, page=1_000) if dataset.table in tables else ():
        version = Version.of_raw(row)
        if version == last:
            continue  # the same row twice
        is_other = last is not None and version.place == last.place
        if is_other or not version.is_sound(dataset):
            raise _refusal(f"{dataset.table} holds of {version} is not what was stored there")
        held[version.run_sequence] += 1
        last = version
        yield version.to_store()
    for ledger in rows:
        run = ledger["run_sequence"]
        wrote = sum(ledger[name] or 0 for name in WRITTEN_COUNTS)
        if wrote != held[run]:
            raise _refusal(
                f"{dataset.table} holds of run {run} are {held[run]} versions, and its ledger says "
                f"that {wrote} were written"
            )


def _refusal(what: str) -> ReconciliationError:
    return ReconciliationError(
        f"MongoDB is empty, and cannot be rebuilt from the warehouse: what {SCHEMA}.{what}. Put "
        "MongoDB or the warehouse back from a backup; or move the warehouse away, and a run begins "
        "anew without its history."
    )


def _in_utc(value: Any) -> Any:
    """A timestamp of raw with its zone; anything else as it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
