"""Hop 1: one dataset from its portal into MongoDB, all of it or nothing.

The portal's export is spooled into a file and verified (`ingestion.portal`), compared with what is
held, and what differs is written: a dlt resource reads the records, a dlt destination writes them.
Until the ledger's commit nothing downstream sees any of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import errors, records
from ingestion.classify import CHANGED, CONFLICT, COPY, NEW, RESTORED, UNCHANGED, classify, present
from ingestion.lock import Lease
from ingestion.portal import PortalClient, Progress, Spooled
from ingestion.profile import compare, profile
from ingestion.records import Batch, Quarantined
from ingestion.registry import Dataset
from ingestion.store import INSERT_ROWS, Document, Run, Store, as_version

if TYPE_CHECKING:
    import pyarrow as pa

    from ingestion.probe import Probe

logger = logging.getLogger(__name__)

FULL_PULL_EVERY = timedelta(days=7)
_COUNTED = {"new": NEW, "changed": CHANGED, "unchanged": UNCHANGED, "restored": RESTORED}
_ACCEPT = "To withdraw all the same, run again with --accept-shrink."


@dataclass(frozen=True)
class PullOptions:
    """How a person may steer a pull."""

    force: bool = False  # pull even where nothing says that the data changed
    accept_shrink: bool = False  # withdraw even below the floor, or beside lines without a name
    is_recorded_state: bool = False  # a dataset that the portal lacks is skipped, not failed


@dataclass
class DatasetResult:
    """What became of one dataset in this run."""

    dataset: Dataset
    status: str  # as in the ledger
    counts: dict[str, int] = field(default_factory=dict)  # `rows_…`, as in the ledger
    drift: list[dict[str, Any]] = field(default_factory=list)
    is_drift_news: bool = False  # the pull before did not have this drift
    profile_changes: list[dict[str, Any]] = field(default_factory=list)
    withdrawal_refused: str | None = None  # why records that are gone were not withdrawn
    error: str | None = None

    def set_drift(self, probe: Probe, last: Mapping[str, Any]) -> None:
        """What the portal's fields are like now, and whether `last`, the pull before, had it."""
        self.drift = json.loads(probe.ledger["drift"])
        self.is_drift_news = bool(self.drift) and probe.ledger["drift"] != last.get("drift")

    @property
    def problem(self) -> str | None:
        """Why the run must not end with success."""
        return self.error or self.withdrawal_refused


@dataclass
class Puller:
    """What the pulls of one run share."""

    client: PortalClient
    store: Store
    lease: Lease
    run: Run
    work_dir: Path
    options: PullOptions
    progress: Progress | None = None

    def pull(self, dataset: Dataset) -> DatasetResult:
        """Bring one dataset in; what its portal or its records did wrong ends this one alone.

        Raises:
            CollegesError: no dataset could be stored: MongoDB is out of reach, the disk is full,
                the lease is lost, or synthetic and real records would meet.
        """
        last = self.store.last_finished(dataset)
        self.lease.confirm()
        entry = self.store.begin(self.run, dataset)
        last = last or {"rows_present": 0}
        try:
            return self._pull(dataset, entry, last)
        except errors.PortalError as error:
            if isinstance(error, errors.UnknownDatasetError) and self.options.is_recorded_state:
                self.store.end(entry, "not_recorded", rows_present=last["rows_present"])
                return DatasetResult(dataset, "not_recorded")
            logger.info("%s: %s", dataset.dataset_id, error)
            self.store.end(entry, "failed", error=str(error))
            return DatasetResult(dataset, "failed", error=str(error))
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            # Where that fails too, the next run does it; what is told is the cause.
            with suppress(errors.StoreError):
                self.store.end(entry, status, error=str(error) or None)
            raise

    def _pull(self, dataset: Dataset, entry: Document, last: Mapping[str, Any]) -> DatasetResult:
        probe = self.client.probe(dataset)
        self.store.check_origin(is_synthetic=probe.ledger["is_synthetic"])
        reason = "asked for" if self.options.force else why_pull(probe, last)
        result = DatasetResult(dataset, "unchanged")
        if reason is None:
            result.set_drift(probe, last)
            logger.info("%s: unchanged at the portal, not pulled", dataset.dataset_id)
            self.store.end(entry, "unchanged", **probe.ledger, rows_present=last["rows_present"])
            return result
        logger.info("%s: pulling (%s)", dataset.dataset_id, reason)
        path = self.work_dir / f"{dataset.table}.jsonl"
        try:
            spooled = self.client.spool(dataset, probe, path, self.progress)
            with errors.disk_full(self.work_dir):
                self._write(result, entry, last, spooled)
        finally:
            path.unlink(missing_ok=True)
        return result

    def _write(
        self, result: DatasetResult, entry: Document, last: Mapping[str, Any], spooled: Spooled
    ) -> None:
        """Write what differs from what is held, and commit; fills in the result."""
        dataset = result.dataset
        result.set_drift(spooled.probe, last)  # the portal may have changed since it was asked
        held = self.store.held(dataset)
        pulled = _Pulled(self.store, entry, spooled, held, self.work_dir)
        pulled.read(dataset)
        kinds, missing = classify(held, pulled.rows)
        pulled.quarantine(_repeated(spooled.path, pulled.rows, kinds))
        # A damaged line that still says which record it is does not make that record missing.
        named = set(missing).intersection(pulled.damaged)
        nameless = sum(key not in named for key in pulled.damaged)
        missing = [key for key in missing if key not in named]
        counts = {f"rows_{name}": int((kinds == kind).sum()) for name, kind in _COUNTED.items()}
        if not self.options.accept_shrink:
            readable = sum(counts.values())
            result.withdrawal_refused = _why_not(dataset, readable, len(missing), nameless)
        if result.withdrawal_refused:
            missing = []
        counts |= {"rows_received": spooled.rows, "rows_quarantined": pulled.quarantined}
        counts["rows_withdrawn"] = len(missing)
        is_changed = counts["rows_unchanged"] + counts["rows_quarantined"] < spooled.rows
        if is_changed:
            pulled.write(kinds)
        pulled.withdraw(missing)
        now, changes = last.get("profile"), []  # text: MongoDB does not take every field's name
        if is_changed or now is None:
            found = profile(spooled.path, spooled.rows)
            now, changes = json.dumps(found), compare(json.loads(now or "null"), found)
        arrived = counts["rows_new"] + counts["rows_restored"] - len(missing)
        self.lease.confirm()
        self.store.end(
            entry, "finished", **spooled.probe.ledger, **counts, profile=now,
            profile_changes=changes, rows_present=present(held).num_rows + arrived,
            extracted_at=spooled.extracted_at,
            is_withdrawal_refused=result.withdrawal_refused is not None,
        )  # fmt: skip
        result.status, result.counts, result.profile_changes = "finished", counts, changes


@dataclass
class _Pulled:
    """The records of one pull, on their way from the spooled file into MongoDB."""

    store: Store
    entry: Document
    spooled: Spooled
    held: pa.Table
    work_dir: Path
    quarantined: int = 0
    damaged: list[str | None] = field(default_factory=list)  # whom unreadable lines say they are
    rows: Any = None  # `line_number`, `record_key` and `content_hash` of every readable record
    _pipeline: Any = None  # of dlt, with the lines that are not held; None: there are none
    _is_wanted: Any = None  # by line number: whether it is to be written
    _error: Exception | None = None

    def read(self, dataset: Dataset) -> None:
        """Read the file; lines that are not held go into a load package of dlt."""
        import pyarrow as pa

        seen: list[pa.Table] = []
        batches = self._noted(records.read_batches(self.spooled.path, dataset, self.held), seen)
        if first := next((batch for batch in batches if batch.num_rows), None):
            import dlt

            from ingestion.warehouse import fresh_pipeline

            to = self._destination()
            self._pipeline = fresh_pipeline("pull", to, dataset.table, self.work_dir)
            resource = dlt.resource(chain([first], batches), name=dataset.table)
            self._run(self._pipeline.extract, resource, loader_file_format="parquet")
        self.rows = pa.concat_tables(seen)

    def _noted(self, batches: Iterable[Batch], seen: list[pa.Table]) -> Iterator[pa.Table]:
        """Note keys and hashes of all rows, and hand on the rows that have a payload."""
        import pyarrow as pa

        names = {"line_number": pa.int64(), "record_key": pa.string(), "content_hash": pa.string()}
        seen.append(pa.schema(names).empty_table())
        for batch in batches:
            self.quarantine(batch.quarantined)
            self.damaged += [line.record_key for line in batch.quarantined]
            rows = pa.Table.from_batches([batch.rows])
            seen.append(rows.select([*names]))
            yield rows.filter(rows["payload"].is_valid())

    def quarantine(self, lines: Iterable[Quarantined]) -> None:
        """Keep lines out, and count them."""
        self.quarantined += self.store.quarantine(self.entry, lines)

    def write(self, kinds: Any) -> None:
        """Have dlt write what is new, changed or restored."""
        import numpy as np

        self._is_wanted = np.zeros(self.spooled.rows + 1, bool)
        numbers = self.rows["line_number"].to_numpy()
        self._is_wanted[numbers] = np.isin(kinds, (NEW, CHANGED, RESTORED))
        self._run(self._pipeline.normalize)
        self._run(self._pipeline.load)

    def _run(self, step: Any, *of: Any, **options: Any) -> None:
        """One step of dlt, with the error of ours or of the system that it wraps or drops."""
        try:
            step(*of, **options)
        except Exception as error:
            wrapped = errors.root_cause(error, errors.CollegesError, OSError)
            raise self._error or wrapped from error

    def _destination(self) -> Any:
        import dlt
        from dlt.common.destination.exceptions import DestinationTerminalException

        @dlt.destination(
            name="mongodb", batch_size=INSERT_ROWS, loader_file_format="parquet",
            naming_convention="direct", skip_dlt_columns_and_tables=True,
        )  # fmt: skip
        def mongodb(batch: pa.RecordBatch, table: Any) -> None:  # noqa: ARG001 - dlt's signature
            try:
                numbers = batch.column("line_number").to_numpy()
                self._insert(batch.filter(self._is_wanted[numbers]).to_pylist())
            except Exception as error:
                self._error = error  # dlt keeps its text alone
                raise DestinationTerminalException(str(error)) from error

        return mongodb

    def withdraw(self, keys: list[str]) -> None:
        """Write a tombstone for each record, numbered on from the lines."""
        blank = dict.fromkeys(("content_hash", "line_hash", "payload"))
        numbered = enumerate(keys, self.spooled.rows + 1)
        self._insert([{"line_number": n, "record_key": key, **blank} for n, key in numbered])

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        run, at = self.entry["run_sequence"], self.spooled.extracted_at
        own = {"run_sequence": run, "extracted_at": at}
        versions = [as_version(row.pop("line_number"), row | own) for row in rows]
        self.store.insert(self.entry["table_name"], versions)


def why_pull(probe: Probe, last: Mapping[str, Any]) -> str | None:
    """Why a dataset must be pulled; None where nothing differs from `last`, its latest pull."""
    if "extracted_at" not in last:
        return "never pulled"
    if last["is_withdrawal_refused"] or last["rows_quarantined"]:
        return "the pull before had lines or withdrawals that were refused"
    if probe.ledger["portal_data_processed_at"] is None:
        return "the portal does not say when it processed the data"
    age = datetime.now(UTC) - last["extracted_at"]
    if not timedelta(0) <= age < FULL_PULL_EVERY:
        when = f"{age.days} days ago" if age > timedelta(0) else "in the future, by this clock"
        return f"last pulled in full {when}"
    return probe.change(last)


def _why_not(dataset: Dataset, readable: int, missing: int, nameless: int) -> str | None:
    """Why what is absent from a pull may still be at the portal; None: it is not."""
    if readable < dataset.volume_floor:
        return (
            f"{readable} readable rows are below this dataset's floor of {dataset.volume_floor}: "
            f"nothing was withdrawn. {_ACCEPT}"
        )
    if missing and nameless:
        return (
            f"{nameless} quarantined line(s) do not say which record they are, so the {missing} "
            "record(s) missing from this pull may be among them: nothing was withdrawn. Look at "
            f"`colleges status`. {_ACCEPT}"
        )
    return None


def _repeated(path: Path, rows: pa.Table, kinds: Any) -> Iterator[Quarantined]:
    """The lines of records that came more than once: copies but the first, conflicts all."""
    found = rows.append_column("kind", [kinds]).filter(kinds >= COPY).to_pylist()
    bad = {row["line_number"]: row for row in found}
    for number, line in enumerate(records.lines(path) if bad else (), 1):
        if row := bad.get(number):
            what = "different contents" if row["kind"] == CONFLICT else "the same content"
            detail = f"its key came more than once in one pull, with {what}"
            yield Quarantined(number, line, "duplicate_key", detail, row["record_key"])
