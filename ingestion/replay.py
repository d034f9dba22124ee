"""`colleges replay`: how raw and MongoDB differ, payloads and all; raw rebuilt from MongoDB.

Rebuilding never loses a version. What MongoDB lost of its finished loads and raw still has goes
back into MongoDB first; where that is not enough, or MongoDB's own versions cannot be trusted,
nothing is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.compare import (
    Difference,
    LedgerLoad,
    find_differences,
    raw_tables,
    read_ledger,
    side_by_side,
)
from ingestion.document_store import DocumentStore, StoredVersion
from ingestion.errors import ReconciliationError
from ingestion.load import LoadReport, forget_note, load_warehouse, reconcile
from ingestion.raw_files import LEDGER
from ingestion.warehouse import SCHEMA, Connection, Warehouse, open_warehouse

if TYPE_CHECKING:
    from ingestion.registry import Dataset
    from ingestion.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplayReport:
    """How raw differed from MongoDB, and what was done about it."""

    differences: list[Difference]
    """One a dataset, also where nothing differs."""
    put_back: int = 0
    """Versions that MongoDB had lost and raw had."""
    load: LoadReport | None = None
    """The rebuilding load; None where it was not asked for."""


def replay(
    store: DocumentStore, settings: Settings, datasets: Sequence[Dataset], *, apply: bool
) -> ReplayReport:
    """Say how raw differs from MongoDB and, with ``apply``, rebuild it from MongoDB alone.

    With ``apply``, the versions that MongoDB lost of finished loads and raw has are put back into
    it before. Of raw the ledger rows go first, so that a killed replay leaves tables that count as
    not loaded. Killed anywhere, the next replay completes it; once those rows are gone, any load.

    Args:
        store: document store, locked by the caller.
        settings: which warehouse.
        datasets: what to compare, and rebuild.
        apply: rebuild.

    Raises:
        ReconciliationError: rebuilding would lose a version, or spread one that was altered:
            nothing was changed. Or raw differs even after rebuilding.
        LockedError: another run took the lock over.
        WarehouseError: the warehouse is out of reach or refused.
        StoreError: MongoDB is out of reach.
    """
    warehouse = open_warehouse(settings)
    ledger = read_ledger(store, datasets)
    with warehouse.connect() as connection:
        differences = [
            find_differences(store, warehouse, connection, dataset, ledger[dataset.table])
            for dataset in datasets
        ]
    if not apply:
        return ReplayReport(differences)
    for difference in differences:
        if difference.why_not_rebuild:
            refusal = f"{difference.why_not_rebuild} Nothing was changed."
            raise ReconciliationError(refusal)
    put_back = 0
    with warehouse.connect() as connection:
        for dataset, difference in zip(datasets, differences, strict=True):
            if difference.to_put_back:
                loads = [
                    load
                    for load in ledger[dataset.table]
                    if load.sequence in difference.runs_cut_short
                ]
                put_back += _put_back(store, connection, dataset, loads)
    for dataset in datasets:
        _recount(store, dataset)
    _rebuild(store, warehouse, datasets)
    load = load_warehouse(store, settings, datasets, verify=True)
    reconcile(store, settings, datasets, verify=True)
    return ReplayReport(differences, put_back, load)


def _put_back(
    store: DocumentStore, connection: Connection, dataset: Dataset, loads: Sequence[LedgerLoad]
) -> int:
    store.confirm_lock()
    count = store.restore_versions(dataset, _lost_versions(store, connection, dataset, loads))
    logger.warning(
        "%s: put %d versions back into MongoDB, which had lost them, from raw",
        dataset.dataset_id, count,
    )  # fmt: skip
    return count


def _lost_versions(
    store: DocumentStore, connection: Connection, dataset: Dataset, loads: Sequence[LedgerLoad]
) -> Iterator[StoredVersion]:
    """The sound versions in raw that MongoDB lacks of these loads."""
    run_ids = {load.sequence: load.run_id for load in loads}
    last = None
    tables = raw_tables(connection)
    for ours, theirs in side_by_side(store, connection, tables, dataset, loads):
        if theirs is None:
            continue
        is_copy, last = theirs.place == last, theirs.place
        if ours or is_copy or theirs.run_id != run_ids.get(theirs.run_sequence):
            continue
        if theirs.is_sound(dataset):
            yield theirs.to_store()


def _recount(store: DocumentStore, dataset: Dataset) -> None:
    """Count the records present anew: a pull into a MongoDB that lacked some counted too many."""
    last = store.last_finished_load(dataset)
    present = store.present_count(dataset)
    if last and last["rows_present"] != present:
        store.correct_rows_present(dataset, present)
        logger.warning(
            "%s: %d records are present; run %d had counted %d",
            dataset.dataset_id, present, last["run_sequence"], last["rows_present"],
        )  # fmt: skip


def _rebuild(store: DocumentStore, warehouse: Warehouse, datasets: Sequence[Dataset]) -> None:
    """Take the datasets out of raw, so that the next load brings them whole."""
    forget_note(store, warehouse)
    with warehouse.connect(writable=True) as connection:
        store.confirm_lock()
        if LEDGER in raw_tables(connection):
            names = ", ".join(f"'{dataset.table}'" for dataset in datasets)
            connection.rows(f"delete from {SCHEMA}.{LEDGER} where table_name in ({names})")  # noqa: S608
        for dataset in datasets:
            connection.rows(f"drop table if exists {SCHEMA}.{dataset.table}")
