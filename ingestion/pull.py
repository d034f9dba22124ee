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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import errors, records
from ingestion.classify import CHANGED, CONFLICT, COPY, NEW, RESTORED, UNCHANGED, classify, present
from ingestion.lock import Lease
from ingestion.profile import compare, profile
from ingestion.records import Quarantined
from ingestion.registry import Dataset
from ingestion.store import Document, Run, Store, as_version

if TYPE_CHECKING:
    import pyarrow as pa

    from ingestion.portal import PortalClient, Spooled
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

    def pull(self, dataset: Dataset) -> DatasetResult:
        """Bring one dataset in; what its portal or its records did wrong ends this one alone.

        What is raised concerns all: MongoDB is out of reach, the disk is full, the lease is lost,
        or synthetic and real records would meet.
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
            spooled = self.client.spool(dataset, probe, path)
            with errors.disk_full(self.work_dir):
                self._write(result, entry, last, spooled)
        finally:
            path.unlink(missing_ok=True)
        return result

    def _write(
        self, result: DatasetResult, entry: Document, last: Mapping[str, Any], spooled: Spooled
    ) -> None:
        """Write what differs from what is held, and commit; fills in the result."""
        import numpy as np

        dataset, path = result.dataset, spooled.path
        result.set_drift(spooled.probe, last)  # the portal may have changed since it was asked
        held = self.store.held(dataset)
        damaged: list[str | None] = []  # whom unreadable lines say they are

        def keep_out(line: Quarantined) -> None:
            damaged.append(line.record_key)
            self.store.quarantine(entry, line)

        rows = records.read(path, dataset, held, keep_out)
        kinds, missing = classify(held, rows)
        for line in _repeated(path, rows, kinds):
            self.store.quarantine(entry, line)
        # A damaged line that still says which record it is does not make that record missing.
        named = set(missing).intersection(damaged)
        missing = [key for key in missing if key not in named]
        counts = {f"rows_{name}": int((kinds == kind).sum()) for name, kind in _COUNTED.items()}
        readable = sum(counts.values())
        if not self.options.accept_shrink:
            nameless = sum(key not in named for key in damaged)
            result.withdrawal_refused = _why_not(dataset, readable, len(missing), nameless)
        if result.withdrawal_refused:
            missing = []
        counts |= {"rows_received": spooled.rows, "rows_quarantined": spooled.rows - readable}
        counts["rows_withdrawn"] = len(missing)
        if is_changed := readable > counts["rows_unchanged"]:
            rows = rows.filter(np.isin(kinds, (NEW, CHANGED, RESTORED)))
            self._send(entry, spooled, rows)
        # Tombstones, numbered on from the lines.
        blank = dict.fromkeys(("content_hash", "line_hash", "payload"))
        numbered = enumerate(missing, spooled.rows + 1)
        gone = ({"line_number": n, "record_key": key, **blank} for n, key in numbered)
        self._insert(entry, spooled, gone)
        now, changes = last.get("profile"), []  # text: MongoDB does not take every field's name
        if is_changed or now is None:
            found = profile(path, spooled.rows)
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

    def _send(self, entry: Document, spooled: Spooled, rows: pa.Table) -> None:
        """Have dlt write versions; raises what `Store.insert` raises, or the system.

        dlt gets the keys and hashes; the destination reads the lines where they are, in the spool.
        """
        import dlt
        from dlt.common.destination.exceptions import DestinationTerminalException

        from ingestion.warehouse import fresh_pipeline

        failed: list[BaseException] = []  # of which dlt keeps the text alone

        @dlt.destination(
            name="mongodb", batch_size=records.BATCH_ROWS, loader_file_format="parquet",
            naming_convention="direct", skip_dlt_columns_and_tables=True,
        )  # fmt: skip
        def mongodb(batch: pa.RecordBatch, table: Any) -> None:  # noqa: ARG001 - dlt's signature
            try:
                rows = batch.to_pylist()
                lines = records.lines_at(spooled.path, [row.pop("offset") for row in rows])
                paired = zip(rows, lines, strict=True)
                whole = (row | {"payload": line.decode()} for row, line in paired)
                self._insert(entry, spooled, whole)
            except Exception as error:
                failed.append(error)
                raise DestinationTerminalException(str(error)) from error

        table = entry["table_name"]
        pipeline = fresh_pipeline("pull", mongodb, table, self.work_dir)
        resource = dlt.resource(rows.to_batches(), name=table)
        try:
            pipeline.run(resource, loader_file_format="parquet")
        except Exception as error:
            cause = errors.root_cause(error, errors.CollegesError, OSError)
            raise (failed or [cause])[0] from error

    def _insert(self, entry: Document, spooled: Spooled, rows: Iterable[dict[str, Any]]) -> None:
        own = {"run_sequence": entry["run_sequence"], "extracted_at": spooled.extracted_at}
        versions = (as_version(row.pop("line_number"), row | own) for row in rows)
        self.store.insert(entry["table_name"], versions)


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
    lines = records.lines_at(path, [row["offset"] for row in found])
    for row, line in zip(found, lines, strict=True):
        number, is_conflict = row["line_number"], row["kind"] == CONFLICT
        what = "different contents" if is_conflict else "the same content"
        detail = f"its key came more than once in one pull, with {what}"
        yield Quarantined(number, line, "duplicate_key", detail, row["record_key"])
