"""Hop 2: what MongoDB holds and the warehouse does not, appended to ``raw``.

What is loaded is read from the warehouse alone, and ``raw._source_load`` is what decides: a
dataset's versions count up to the greatest run sequence it has there. So the order is fixed:

1. remove the rows beyond it (what a killed load left),
2. append the versions of finished loads beyond it, and count them,
3. insert the ledger rows, in one transaction: the commit.

Killed anywhere, the next load begins again at 1 and ends the same. dlt appends, each time from an
empty working directory: a package it would resume is one whose rows may be there already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingestion.document_store import VERSION_FIELDS, VERSION_INDEX, WRITTEN_COUNTS, DocumentStore
from ingestion.errors import ReconciliationError, WarehouseError
from ingestion.raw_files import LEDGER, LEDGER_COLUMNS, VERSION_COLUMNS, RawFiles
from ingestion.registry import Dataset
from ingestion.settings import Settings
from ingestion.warehouse import SCHEMA, Connection, Warehouse, open_warehouse

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset id, rows so far, rows expected)."""

REPLIES_HASHED_AT_ONCE = 50
FEW = 1 / 16
"""Share of a collection up to which an index is the faster way to its versions. They lie in the
order of arrival and no index has that order: each one costs a page, and a scan reads each once."""
MAX_EXAMPLES = 5


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


@dataclass(frozen=True)
class Difference:
    """How one raw table differs from MongoDB, counted in versions."""

    dataset_id: str
    missing: int
    """In MongoDB alone."""
    extra: int
    """In raw alone, a second copy of a row included."""
    different: int
    """In both, with another hash or another state."""
    examples: tuple[str, ...]
    """Up to five of them: ``<record key> of run <sequence>``."""

    def __str__(self) -> str:
        told = (
            f"{self.dataset_id}: {self.missing} missing from raw, {self.extra} extra, "
            f"{self.different} different"
        )
        return f"{told} ({'; '.join(self.examples)})" if self.examples else told


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
        StoreError: MongoDB is out of reach.
    """
    started = time.monotonic()
    warehouse = open_warehouse(settings)
    ledger = _read_ledger(store, datasets)
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
            _forget_note(store, warehouse)
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
    _prepare(plan, held, report, warehouse)
    if any(plan.loads.values()):
        with RawFiles(warehouse, settings.home / "dlt") as files:
            for dataset, done in zip(datasets, report.datasets, strict=True):
                if loads := plan.loads[done.table]:
                    _add_versions(files, store, dataset, loads, done, progress)
            files.append()
    _commit(plan, report, store, warehouse)
    for done in report.datasets:
        done.up_to = max(done.up_to, _newest(plan.loads[done.table]))
        if done.rows_appended:
            logger.info("%s: %d versions appended", done.dataset_id, done.rows_appended)


@dataclass(frozen=True)
class _Load:
    """A load entry of the ledger that ended, as far as loading the warehouse goes."""

    sequence: int
    run_id: str
    is_finished: bool
    versions: int
    """How many it wrote."""


def _read_ledger(store: DocumentStore, datasets: Iterable[Dataset]) -> dict[str, list[_Load]]:
    """Table → its loads, in the order of runs."""
    ledger: dict[str, list[_Load]] = {}
    for dataset in datasets:
        loads = ledger[dataset.table] = []
        for sequence, run_id, entry in store.ended_loads(dataset):
            is_finished = entry["status"] == "finished"
            versions = sum(entry[name] for name in WRITTEN_COUNTS) if is_finished else 0
            loads.append(_Load(sequence, run_id, is_finished, versions))
    return ledger


def _newest(loads: Sequence[_Load]) -> int:
    """The latest run that wrote a version."""
    return max((load.sequence for load in loads if load.versions), default=0)


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
        held = cls(tables, {})
        if LEDGER in tables:
            for table, sequence, run_id in connection.rows(
                f"select table_name, run_sequence, run_id from {SCHEMA}.{LEDGER}"  # noqa: S608
            ):
                held.runs.setdefault(table, {})[int(sequence)] = run_id
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


@dataclass(frozen=True)
class _Plan:
    """What there is to do; false where there is nothing."""

    loads: dict[str, list[_Load]]
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
    def make(cls, ledger: Mapping[str, Sequence[_Load]], held: _Held) -> _Plan:
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


def raw_tables(connection: Connection) -> frozenset[str]:
    """The tables of raw, in lower case."""
    return frozenset(
        str(name).lower()
        for (name,) in connection.rows(
            "select table_name from information_schema.tables"  # noqa: S608
            f" where lower(table_schema) = '{SCHEMA}' and table_catalog = current_database()"
        )
    )


def _check_same_store(dataset: Dataset, held: _Held, loads: Sequence[_Load]) -> None:
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
        "loaded from, or another warehouse; `colleges replay --apply` makes raw what this MongoDB "
        "holds, and what only the warehouse has is lost then."
    )


def _prepare(plan: _Plan, held: _Held, report: LoadReport, warehouse: Warehouse) -> None:
    """Remove what a killed load left, and make the tables that are not there."""
    if not held.leftovers and not plan.new_tables:
        return
    with warehouse.connect(writable=True) as connection:
        for done in report.datasets:
            if count := held.leftovers.get(done.table):
                connection.rows(
                    f"delete from {SCHEMA}.{done.table} where run_sequence > {done.up_to}"  # noqa: S608
                )
                done.leftovers_removed = count
                logger.warning(
                    "%s: removed %d rows that an interrupted load had left in raw",
                    done.dataset_id, count,
                )  # fmt: skip
        for table in sorted(plan.new_tables):
            connection.create(table, LEDGER_COLUMNS if table == LEDGER else VERSION_COLUMNS)


def _add_versions(
    files: RawFiles,
    store: DocumentStore,
    dataset: Dataset,
    loads: Sequence[_Load],
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
    """Check that as many rows arrived as were sent, then append the ledger rows."""
    if not plan.ledger_rows:
        return
    after = min(sequence for _, sequence in plan.ledger_rows) - 1
    rows = (
        [_without_zone(row[name]) for name in LEDGER_COLUMNS]
        for row in store.ledger_rows(after=after)
        if (row["table_name"], row["run_sequence"]) in plan.ledger_rows
    )
    with warehouse.connect(writable=True) as connection:
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
    store: DocumentStore, warehouse: Warehouse, what: str, ledger: Mapping[str, Sequence[_Load]]
) -> bool:
    if not warehouse.is_metered:
        return False
    up_to = store.note(warehouse.identity).get(what, {})
    return all(up_to.get(table) == _newest(loads) for table, loads in ledger.items())


def _note(
    store: DocumentStore, warehouse: Warehouse, what: str, ledger: Mapping[str, Sequence[_Load]]
) -> None:
    if warehouse.is_metered:
        up_to = {f"{what}.{table}": _newest(loads) for table, loads in ledger.items()}
        store.add_to_note(warehouse.identity, up_to)


def _forget_note(store: DocumentStore, warehouse: Warehouse) -> None:
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


# -- reconcile, replay -----------------------------------------------------------------------------


def reconcile(
    store: DocumentStore,
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    verify: bool = False,
) -> list[Agreement]:
    """Check that raw holds what MongoDB holds: every version by key, run, hash and state.

    Also that as many records are present in raw as the ledger counted at the latest finished load,
    and that no run stands twice in ``raw._source_load``. Memory is constant.

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
    ledger = _read_ledger(store, datasets)
    if not verify and _is_noted(store, warehouse, "agreed", ledger):
        return []
    agreements = []
    complaints = []
    with warehouse.connect() as connection:
        tables = raw_tables(connection)
        for dataset in datasets:
            difference = _compare(store, warehouse, connection, tables, dataset, ledger)
            if difference is not None:
                complaints.append(str(difference))
                continue
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
            + ". `colleges replay` says more, and `colleges replay --apply` rebuilds raw from "
            "MongoDB."
        )
    _note(store, warehouse, "agreed", ledger)
    return agreements


@dataclass(frozen=True)
class ReplayReport:
    """How raw differed from MongoDB, and what was done about it."""

    differences: list[Difference]
    """One a dataset, also where nothing differs."""
    load: LoadReport | None = None
    """The rebuilding load; None where it was not asked for."""


def replay(
    store: DocumentStore, settings: Settings, datasets: Sequence[Dataset], *, apply: bool
) -> ReplayReport:
    """Say how raw differs from MongoDB and, with ``apply``, rebuild it from MongoDB alone.

    The ledger rows go first, so that a killed replay leaves tables that count as not loaded: the
    next load (or replay) completes it.

    Raises:
        ReconciliationError: MongoDB holds nothing of a dataset that raw has, so that rebuilding
            would only lose it; or raw differs even after rebuilding.
        WarehouseError: the warehouse is out of reach or refused.
        StoreError: MongoDB is out of reach.
    """
    warehouse = open_warehouse(settings)
    ledger = _read_ledger(store, datasets)
    differences = []
    with warehouse.connect() as connection:
        tables = raw_tables(connection)
        for dataset in datasets:
            found = _compare(store, warehouse, connection, tables, dataset, ledger)
            differences.append(found or Difference(dataset.dataset_id, 0, 0, 0, ()))
    if not apply:
        return ReplayReport(differences)
    for dataset, difference in zip(datasets, differences, strict=True):
        if difference.extra and not _newest(ledger[dataset.table]):
            raise ReconciliationError(
                f"MongoDB holds nothing of {dataset.dataset_id} and raw has {difference.extra} "
                "versions of it: rebuilding raw would lose them. Nothing was changed. Use the "
                "MongoDB this warehouse was loaded from."
            )
    _forget_note(store, warehouse)
    with warehouse.connect(writable=True) as connection:
        if LEDGER in tables:
            names = ", ".join(f"'{dataset.table}'" for dataset in datasets)
            connection.rows(f"delete from {SCHEMA}.{LEDGER} where table_name in ({names})")  # noqa: S608
        for dataset in datasets:
            connection.rows(f"drop table if exists {SCHEMA}.{dataset.table}")
    load = load_warehouse(store, settings, datasets, verify=True)
    reconcile(store, settings, datasets, verify=True)
    return ReplayReport(differences, load)


def _compare(
    store: DocumentStore,
    warehouse: Warehouse,
    connection: Connection,
    tables: frozenset[str],
    dataset: Dataset,
    ledger: Mapping[str, Sequence[_Load]],
) -> Difference | None:
    """None where both hold the same versions, by their number and the sum of their hashes."""
    finished = [load.sequence for load in ledger[dataset.table] if load.is_finished]
    in_store = _sum_store(store, warehouse, dataset, finished)
    in_raw = (0, 0)
    if dataset.table in tables:
        ((count, total),) = connection.rows(
            # As text: the sum has more digits than a number a driver might make of it.
            f"select count(*), cast(sum({warehouse.version_hash}) as varchar)"  # noqa: S608
            f" from {SCHEMA}.{dataset.table}"
        )
        in_raw = (int(count), int(total or 0))
    if in_store == in_raw:
        return None
    return _difference(store, connection, tables, dataset)


def _sum_store(
    store: DocumentStore, warehouse: Warehouse, dataset: Dataset, finished: list[int]
) -> tuple[int, int]:
    """The number of versions of finished loads in MongoDB, and the sum of their hashes.

    Read from the version index alone, filtered and added up by DuckDB.
    """
    if not finished:
        return 0, 0
    import duckdb
    import pyarrow as pa

    columns = ("record_key", "run_sequence", "content_hash")
    count = total = 0
    with duckdb.connect() as local:
        tables = store.scan(dataset, columns, index=VERSION_INDEX)
        while page := list(islice(tables, REPLIES_HASHED_AT_ONCE)):
            local.register("versions", pa.concat_tables(page))
            sums = local.execute(
                f"select count(*), sum({warehouse.version_hash_locally}) from versions"  # noqa: S608
                f" where run_sequence in ({', '.join(map(str, finished))})"
            ).fetchall()
            count += int(sums[0][0])
            total += int(sums[0][1] or 0)
    return count, total


def _difference(
    store: DocumentStore, connection: Connection, tables: frozenset[str], dataset: Dataset
) -> Difference:
    """Find the versions that differ: both sides in one order, read side by side."""
    in_raw: Iterator[Any] = iter(())
    if dataset.table in tables:
        in_raw = connection.stream(
            "select record_key, run_sequence, content_hash, is_withdrawn, payload is null"  # noqa: S608
            f" from {SCHEMA}.{dataset.table} order by record_key, run_sequence desc"
        )
    missing = extra = different = 0
    examples: list[str] = []

    in_store: Iterator[Any] = store.version_hashes(dataset)
    ours: Any
    theirs: Any
    ours, theirs = next(in_store, None), next(in_raw, None)
    while odd := ours or theirs:
        if ours and (not theirs or _place(ours) < _place(theirs)):
            missing += 1
            ours = next(in_store, None)
        elif theirs and (not ours or _place(theirs) < _place(ours)):
            extra += 1
            odd, theirs = theirs, next(in_raw, None)
        else:
            content_hash = odd[2]
            if theirs[2:] == (content_hash, content_hash is None, content_hash is None):
                odd = None
            else:
                different += 1
            ours, theirs = next(in_store, None), next(in_raw, None)
        if odd and len(examples) < MAX_EXAMPLES:
            examples.append(f"{odd[0]} of run {odd[1]}")
    return Difference(dataset.dataset_id, missing, extra, different, tuple(examples))


def _place(version: Sequence[Any]) -> tuple[str, int]:
    """Where a version stands in the order both sides are read in."""
    return version[0], -version[1]


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
