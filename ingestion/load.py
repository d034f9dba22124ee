"""Hop 2: what MongoDB holds and the warehouse does not, appended to ``raw``.

What is loaded is read from the warehouse alone, and ``raw._source_load`` is what decides: a
dataset's versions count up to the greatest run sequence it has there. So the order is fixed:

1. read the versions of finished loads beyond it, which must be as many as MongoDB's ledger says,
2. remove the rows beyond it (what a killed load left),
3. append what was read, and count it,
4. insert the ledger rows, in one transaction: the commit.

Killed anywhere, the next load begins again at 1 and ends the same. dlt appends, each time from an
empty working directory: a package it would resume is one whose rows may be there already.

MongoDB is asked who holds the lock before each write: of two loads at once, as after one that
slept, the one without it must not write.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingestion.compare import (
    Ledger,
    LedgerLoad,
    Sums,
    find_differences,
    newest,
    raw_tables,
    read_ledger,
    sums_in_raw,
    sums_in_store,
)
from ingestion.document_store import VERSION_FIELDS, DocumentStore
from ingestion.errors import LockedError, ReconciliationError, StoreError, WarehouseError
from ingestion.raw_files import LEDGER, LEDGER_COLUMNS, VERSION_COLUMNS, RawFiles
from ingestion.registry import Dataset
from ingestion.settings import Settings
from ingestion.warehouse import SCHEMA, Connection, Warehouse, open_warehouse

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset id, rows so far, rows expected)."""

FEW = 1 / 16
"""Share of a collection up to which an index is the faster way to its versions. They lie in the
order of arrival and no index has that order: each one costs a page, and a scan reads each once."""


# -- reports ---------------------------------------------------------------------------------------


@dataclass
class DatasetLoad:
    """What a load did to one raw table."""

    dataset_id: str
    table: str
    up_to: int
    """Its greatest run sequence in the warehouse, 0 where there is none."""
    rows_appended: int = 0
    leftovers_removed: int = 0
    """Rows a killed load had left."""


@dataclass
class LoadReport:
    """What a load did; nothing at all where no record had changed."""

    datasets: list[DatasetLoad] = field(default_factory=list)
    """Empty where a metered warehouse was not even asked."""
    ledger_rows: int = 0
    newest_run_id: str | None = None
    """Of the latest run that wrote a version, all of which raw now holds; None where none did."""
    seconds: float = 0.0

    @property
    def rows_appended(self) -> int:
        return sum(dataset.rows_appended for dataset in self.datasets)

    @property
    def leftovers_removed(self) -> int:
        return sum(dataset.leftovers_removed for dataset in self.datasets)

    def __str__(self) -> str:
        if not self.rows_appended and not self.ledger_rows:
            told = "nothing to load, raw holds every version"
        else:
            told = f"{self.rows_appended} versions and {self.ledger_rows} ledger rows appended"
        if self.leftovers_removed:
            told += f", {self.leftovers_removed} rows of an interrupted load removed"
        return f"{told} ({self.seconds:.1f} s)"


@dataclass(frozen=True)
class Agreement:
    """What MongoDB and raw both hold of one dataset."""

    dataset_id: str
    versions: int
    present: int
    """Records whose latest version is no tombstone."""


# -- load ------------------------------------------------------------------------------------------


def load_warehouse(
    store: DocumentStore,
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    progress: Progress | None = None,
    verify: bool = False,
) -> LoadReport:
    """Append to raw what it does not hold; append nothing where no record changed.

    Args:
        store: document store, locked by the caller.
        settings: which warehouse, and where dlt may work.
        datasets: what to load.
        progress: called as versions are read.
        verify: ask a warehouse that costs money even where, by MongoDB's note of the last load,
            nothing changed.

    Returns:
        What was done, dataset by dataset.

    Raises:
        SettingsError: Snowflake's settings are incomplete; nothing was opened.
        WarehouseError: the warehouse is out of reach or refused; the next load completes.
        ReconciliationError: the warehouse was loaded from another MongoDB.
        LockedError: another run took the lock over; what that one does is what counts.
        StoreError: MongoDB is out of reach, or lost versions that its ledger has.
    """
    started = time.monotonic()
    warehouse = open_warehouse(settings)
    ledger = read_ledger(store, datasets)
    report = LoadReport()
    if verify or not _is_noted(store, warehouse, "loaded", ledger):
        with warehouse.connect() as connection:
            held = _Held.read(connection, datasets)
        for dataset in datasets:
            _check_same_store(dataset, held, ledger[dataset.table])
        report.datasets = [
            DatasetLoad(d.dataset_id, d.table, held.up_to(d.table)) for d in datasets
        ]
        plan = _Plan.make(ledger, held)
        if plan:
            forget_note(store, warehouse)
            _carry_out(plan, held, report, store, settings, warehouse, datasets, progress)
        _note(store, warehouse, "loaded", ledger)
    wrote = [load for loads in ledger.values() for load in loads if load.versions]
    if wrote:
        report.newest_run_id = max(wrote, key=lambda load: load.sequence).run_id
    report.seconds = time.monotonic() - started
    return report


def _carry_out(
    plan: _Plan,
    held: _Held,
    report: LoadReport,
    store: DocumentStore,
    settings: Settings,
    warehouse: Warehouse,
    datasets: Sequence[Dataset],
    progress: Progress | None,
) -> None:
    if any(plan.loads.values()):
        with RawFiles(warehouse, settings.home / "dlt") as files:
            # Read whole before anything in raw is touched: it may hold what MongoDB lost.
            for dataset, done in zip(datasets, report.datasets, strict=True):
                if loads := plan.loads[done.table]:
                    _add_versions(files, store, dataset, loads, done, progress)
            _prepare(plan, held, report, store, warehouse)
            store.confirm_lock()
            files.append()
    else:
        _prepare(plan, held, report, store, warehouse)
    _commit(plan, report, store, warehouse)
    for done in report.datasets:
        done.up_to = max(done.up_to, newest(plan.loads[done.table]))
        if done.rows_appended:
            logger.info("%s: %d versions appended", done.dataset_id, done.rows_appended)


@dataclass
class _Held:
    """What the warehouse says it holds."""

    tables: frozenset[str]
    runs: dict[str, dict[int, str]]
    """Table → run sequence → run id, of ``raw._source_load``."""
    leftovers: dict[str, int] = field(default_factory=dict)
    """Table → rows beyond its committed runs."""

    @classmethod
    def read(cls, connection: Connection, datasets: Sequence[Dataset]) -> _Held:
        tables = raw_tables(connection)
        held = cls(tables, _committed_runs(connection) if LEDGER in tables else {})
        counts = " union all ".join(
            f"select '{dataset.table}', count(*) from {SCHEMA}.{dataset.table}"  # noqa: S608
            f" where run_sequence > {held.up_to(dataset.table)}"
            for dataset in datasets
            if dataset.table in tables
        )
        if counts:
            held.leftovers = {
                table: int(count) for table, count in connection.rows(counts) if count
            }
        return held

    @property
    def newest(self) -> int:
        return max((max(runs) for runs in self.runs.values()), default=0)

    def up_to(self, table: str) -> int:
        return max(self.runs.get(table, {}), default=0)


def _committed_runs(connection: Connection) -> dict[str, dict[int, str]]:
    """Table → run sequence → run id."""
    runs: dict[str, dict[int, str]] = {}
    for table, sequence, run_id in connection.rows(
        f"select table_name, run_sequence, run_id from {SCHEMA}.{LEDGER}"  # noqa: S608
    ):
        runs.setdefault(table, {})[int(sequence)] = run_id
    return runs


@dataclass(frozen=True)
class _Plan:
    """What there is to do; false where there is nothing."""

    loads: dict[str, list[LedgerLoad]]
    """Table → finished loads whose versions the warehouse lacks."""
    ledger_rows: frozenset[tuple[str, int]]
    """(table, run sequence) to append to the ledger."""
    new_tables: frozenset[str]
    has_leftovers: bool

    def __bool__(self) -> bool:
        return bool(
            any(self.loads.values()) or self.ledger_rows or self.new_tables or self.has_leftovers
        )

    @classmethod
    def make(cls, ledger: Ledger, held: _Held) -> _Plan:
        loads = {
            table: [load for load in entries if load.versions and load.sequence > held.up_to(table)]
            for table, entries in ledger.items()
        }
        # Rows of runs that changed nothing wait for a load that appends. One that is missing
        # among those already there was cut off with a commit.
        waits_after = float("inf") if any(loads.values()) else held.newest
        ledger_rows = frozenset(
            (table, load.sequence)
            for table, entries in ledger.items()
            for load in entries
            if load.sequence not in held.runs.get(table, {}) and load.sequence <= waits_after
        )
        new_tables = frozenset({LEDGER, *ledger} - held.tables)
        return cls(loads, ledger_rows, new_tables, bool(held.leftovers))


def _check_same_store(dataset: Dataset, held: _Held, loads: Sequence[LedgerLoad]) -> None:
    """Refuse a warehouse that some other MongoDB filled: run sequences would not compare."""
    sequence = held.up_to(dataset.table)
    if not sequence:
        return
    run_id = held.runs[dataset.table][sequence]
    if any(load.sequence == sequence and load.run_id == run_id for load in loads):
        return
    raise ReconciliationError(
        f"The warehouse holds run {sequence} ({run_id}) of {dataset.dataset_id}, of which this "
        "MongoDB knows nothing: it was emptied, put back from an older copy, or is another one. "
        "Nothing was loaded. Use the MongoDB (COLLEGES_HOME, MONGODB_URI) this warehouse was "
        "loaded from, or another warehouse. If it is an older copy of that MongoDB: drop its "
        "database, and the next run rebuilds it from raw, which has more."
    )


def _prepare(
    plan: _Plan, held: _Held, report: LoadReport, store: DocumentStore, warehouse: Warehouse
) -> None:
    """Make the tables that are not there, and remove what a killed load left in the others."""
    if not held.leftovers and not plan.new_tables:
        return
    with warehouse.connect(writable=True) as connection:
        store.confirm_lock()
        for table in sorted(plan.new_tables):
            connection.create(table, LEDGER_COLUMNS if table == LEDGER else VERSION_COLUMNS)
        for done in report.datasets:
            if count := held.leftovers.get(done.table):
                # Read again in the statement itself: what a load committed meanwhile must stay,
                # even if this process slept since it asked for the lock.
                connection.rows(
                    f"delete from {SCHEMA}.{done.table} where run_sequence > ("  # noqa: S608
                    f"select coalesce(max(run_sequence), 0) from {SCHEMA}.{LEDGER}"
                    f" where table_name = '{done.table}')"
                )
                done.leftovers_removed = count
                logger.warning(
                    "%s: removed %d rows that an interrupted load had left in raw",
                    done.dataset_id, count,
                )  # fmt: skip


def _add_versions(
    files: RawFiles,
    store: DocumentStore,
    dataset: Dataset,
    loads: Sequence[LedgerLoad],
    done: DatasetLoad,
    progress: Progress | None,
) -> None:
    run_ids = {load.sequence: load.run_id for load in loads}
    expected = sum(load.versions for load in loads)
    batches = _version_batches(store, dataset, list(run_ids), expected)
    for rows in files.add_versions(dataset.table, batches, run_ids):
        done.rows_appended = rows
        if progress:
            progress(dataset.dataset_id, rows, expected)
    if done.rows_appended != expected:
        raise StoreError(
            f"{dataset.dataset_id}: MongoDB holds {done.rows_appended} versions of the runs "
            f"{loads[0].sequence} to {loads[-1].sequence}, and its ledger says that {expected} "
            "were written: MongoDB lost some, or was changed by hand. Nothing was loaded. Run "
            "`colleges replay`, which says whether raw has them; if it has, `colleges replay "
            "--apply` puts them back, else put MongoDB back from a backup; docs/runbook.md says "
            "what to do where there is none."
        )


def _version_batches(
    store: DocumentStore, dataset: Dataset, sequences: list[int], expected: int
) -> Iterator[pa.RecordBatch]:
    """The versions of these runs, as `DocumentStore.version_batches` but in any order."""
    if expected < store.count_versions(dataset) * FEW:
        yield from store.version_batches(dataset, after=sequences[0] - 1)
    else:
        for table in store.scan(dataset, VERSION_FIELDS, index=[("$natural", 1)], runs=sequences):
            yield from table.to_batches()


def _commit(plan: _Plan, report: LoadReport, store: DocumentStore, warehouse: Warehouse) -> None:
    """Check that as many rows arrived as were sent, then append the ledger rows.

    Raises:
        LockedError: another run took the lock over. Where it loaded the same versions as well,
            they stand in raw once.
        WarehouseError: other rows arrived than were sent.
    """
    if not plan.ledger_rows:
        return
    after = min(sequence for _, sequence in plan.ledger_rows) - 1
    rows = (
        [_without_zone(row[name]) for name in LEDGER_COLUMNS]
        for row in store.ledger_rows(after=after)
        if (row["table_name"], row["run_sequence"]) in plan.ledger_rows
    )
    with warehouse.connect(writable=True) as connection:
        _take_back_surplus(connection, plan, report)
        store.confirm_lock()
        for done in report.datasets:
            if not done.rows_appended:
                continue
            ((count,),) = connection.rows(
                f"select count(*) from {SCHEMA}.{done.table} where run_sequence > {done.up_to}"  # noqa: S608
            )
            if count != done.rows_appended:
                raise WarehouseError(
                    f"{done.dataset_id}: {done.rows_appended} versions were sent to "
                    f"{SCHEMA}.{done.table} and {count} arrived. They were not committed: run "
                    "`colleges load` again, which removes them and starts over."
                )
        report.ledger_rows = connection.insert(LEDGER, list(LEDGER_COLUMNS), rows)


def _take_back_surplus(connection: Connection, plan: _Plan, report: LoadReport) -> None:
    """Where another load committed meanwhile what this one appended, leave one copy of each row.

    This process has lost the lock by then, and no later load would remove those rows: they lie
    below a committed run. So it takes its own back, in one transaction, and touches nothing else.
    """
    runs = _committed_runs(connection)
    doubled = [
        done
        for done in report.datasets
        if done.rows_appended and max(runs.get(done.table, {}), default=0) > done.up_to
    ]
    if not doubled:
        return
    columns = ", ".join(VERSION_COLUMNS)
    copied = ", ".join(f"-{name}" if name == "run_sequence" else name for name in VERSION_COLUMNS)
    for done in doubled:
        mine = ", ".join(str(load.sequence) for load in plan.loads[done.table])
        connection.change(
            # Rows that are equal cannot be told apart: one of each is set aside under a run that
            # cannot be.
            f"insert into {SCHEMA}.{done.table} ({columns}) select {copied}"  # noqa: S608
            f" from {SCHEMA}.{done.table} where run_sequence in ({mine}) qualify row_number()"
            " over (partition by record_key, run_sequence order by run_id) = 1",
            f"delete from {SCHEMA}.{done.table} where run_sequence in ({mine})",  # noqa: S608
            f"update {SCHEMA}.{done.table} set run_sequence = -run_sequence"  # noqa: S608
            " where run_sequence < 0",
        )
    raise LockedError(
        "This run lost the lock of the store and stops: another run took it over and loaded "
        + ", ".join(done.dataset_id for done in doubled)
        + " meanwhile. What this one had appended as well was taken back: raw holds each version "
        "once. Nothing is to be done; the next run compares both stores as ever."
    )


def _without_zone(value: Any) -> Any:
    """A timestamp in UTC as raw holds it; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


# -- the note in MongoDB ---------------------------------------------------------------------------
#
# A warehouse that costs money by the query is not asked where nothing can have changed since it
# was last loaded, or last compared. The note only ever allows to skip that: it is gone before
# anything is written there, comes back after the commit, and no load is planned from it.


def _is_noted(
    store: DocumentStore,
    warehouse: Warehouse,
    what: str,
    ledger: Ledger,
) -> bool:
    if not warehouse.is_metered:
        return False
    up_to = store.note(warehouse.identity).get(what, {})
    return all(up_to.get(table) == newest(loads) for table, loads in ledger.items())


def _note(
    store: DocumentStore,
    warehouse: Warehouse,
    what: str,
    ledger: Ledger,
) -> None:
    if warehouse.is_metered:
        up_to = {f"{what}.{table}": newest(loads) for table, loads in ledger.items()}
        store.add_to_note(warehouse.identity, up_to)


def forget_note(store: DocumentStore, warehouse: Warehouse) -> None:
    """Have a metered warehouse asked again."""
    if warehouse.is_metered:
        store.forget_note(warehouse.identity)


def is_built(store: DocumentStore, settings: Settings, project: str) -> bool:
    """Whether what a metered warehouse holds was built, by this very project, since it was loaded.

    Args:
        store: document store.
        settings: which warehouse.
        project: fingerprint of the dbt project.
    """
    warehouse = open_warehouse(settings)
    return warehouse.is_metered and store.note(warehouse.identity).get("built") == project


def note_build(store: DocumentStore, settings: Settings, project: str) -> None:
    """Note a build that succeeded, for `is_built`; the next load that appends takes it back."""
    warehouse = open_warehouse(settings)
    if warehouse.is_metered:
        store.add_to_note(warehouse.identity, {"built": project})


# -- reconcile -------------------------------------------------------------------------------------


def reconcile(
    store: DocumentStore,
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    verify: bool = False,
) -> list[Agreement]:
    """Check that raw holds what MongoDB holds: every version by key, run, hash and state.

    Also that each run has as many versions as MongoDB's ledger says it wrote, that as many records
    are present as the ledger counted at the latest finished load, and that no run stands twice in
    ``raw._source_load``. Memory is constant. Payloads are not read: `ingestion.replay` does that.

    Args:
        store: document store, locked by the caller.
        settings: which warehouse.
        datasets: what to compare.
        verify: as for :func:`load_warehouse`.

    Returns:
        What both hold, dataset by dataset; empty where a metered warehouse was not asked, because
        it was found to agree before and nothing changed since.

    Raises:
        ReconciliationError: they differ; names dataset, counts and up to five versions.
        WarehouseError: the warehouse is out of reach.
        StoreError: MongoDB is out of reach.
    """
    warehouse = open_warehouse(settings)
    ledger = read_ledger(store, datasets)
    if not verify and _is_noted(store, warehouse, "agreed", ledger):
        return []
    agreements = []
    complaints = []
    with warehouse.connect() as connection:
        tables = raw_tables(connection)
        for dataset in datasets:
            loads = ledger[dataset.table]
            in_store = sums_in_store(store, warehouse, dataset, loads)
            if in_store != sums_in_raw(warehouse, connection, tables, dataset):
                complaints.append(
                    str(find_differences(store, warehouse, connection, dataset, loads))
                )
                continue
            complaints += _runs_that_lost_versions(dataset, loads, in_store)
            versions, present = _count(connection, tables, dataset)
            last = store.last_finished_load(dataset)
            expected = last["rows_present"] if last else 0
            if present != expected:
                complaints.append(
                    f"{dataset.dataset_id}: {present} records are present in MongoDB and in raw, "
                    f"and {expected} were counted when the last pull was stored"
                )
            agreements.append(Agreement(dataset.dataset_id, versions, present))
        complaints += _repeated_runs(connection, tables, datasets)
    if complaints:
        raise ReconciliationError(
            "MongoDB and the warehouse's raw schema do not agree. "
            + ". ".join(complaints)
            + ". `colleges replay` says more; `colleges replay --apply` puts back into MongoDB "
            "what it lost and raw has, then rebuilds raw from MongoDB, and changes nothing where "
            "a version would be lost by that."
        )
    _note(store, warehouse, "agreed", ledger)
    return agreements


def _runs_that_lost_versions(
    dataset: Dataset, loads: Sequence[LedgerLoad], sums: Sums
) -> list[str]:
    """The runs of which both stores hold another number of versions than the ledger says."""
    return [
        f"{dataset.dataset_id}: run {load.sequence} wrote {load.versions} versions, by MongoDB's "
        f"ledger, and MongoDB and raw hold {count}"
        for load in loads
        if load.is_finished and (count := sums.get(load.sequence, (0, 0))[0]) != load.versions
    ]


def _count(connection: Connection, tables: frozenset[str], dataset: Dataset) -> tuple[int, int]:
    """Versions in raw, and records whose latest one is no tombstone."""
    if dataset.table not in tables:
        return 0, 0
    ((versions, present),) = connection.rows(
        "select coalesce(sum(versions), 0), count(case when not is_gone then 1 end) from"  # noqa: S608
        " (select count(*) as versions, max_by(is_withdrawn, run_sequence) as is_gone"
        f" from {SCHEMA}.{dataset.table} group by record_key) as records"
    )
    return int(versions), int(present)


def _repeated_runs(
    connection: Connection, tables: frozenset[str], datasets: Sequence[Dataset]
) -> list[str]:
    if LEDGER not in tables:
        return []
    names = ", ".join(f"'{dataset.table}'" for dataset in datasets)
    return [
        f"raw.{LEDGER} holds run {sequence} of {dataset_id} {count} times"
        for dataset_id, sequence, count in connection.rows(
            f"select dataset, run_sequence, count(*) from {SCHEMA}.{LEDGER}"  # noqa: S608
            f" where table_name in ({names}) group by 1, 2 having count(*) > 1 order by 1, 2"
        )
    ]
