"""Hop 1: one dataset from its portal into MongoDB, all of it or nothing.

The portal's export is spooled into a file and verified (`ingestion.portal`), compared with what is
held, and what differs is written: a dlt resource reads the records, a dlt destination writes them.
Until the ledger's commit nothing downstream sees any of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bson import Int64

from ingestion import records
from ingestion.classify import CHANGED, CONFLICT, COPY, NEW, RESTORED, UNCHANGED, classify, present
from ingestion.errors import CollegesError, PortalError, UnknownDatasetError, disk_full
from ingestion.lock import Lease
from ingestion.portal import PortalClient, Progress, Spooled
from ingestion.profile import compare, profile
from ingestion.records import Batch, Quarantined
from ingestion.registry import Dataset
from ingestion.store import INSERT_ROWS, RUN_SIZE, Run, Store

if TYPE_CHECKING:
    import pyarrow as pa

    from ingestion.probe import Probe

logger = logging.getLogger(__name__)

FULL_PULL_EVERY = timedelta(days=7)


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

    @property
    def needs_attention(self) -> bool:
        """Whether the run must not end with success."""
        return self.status == "failed" or self.withdrawal_refused is not None


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
        except PortalError as error:
            if isinstance(error, UnknownDatasetError) and self.options.is_recorded_state:
                self.store.end(entry, "not_recorded", rows_present=last["rows_present"])
                return DatasetResult(dataset, "not_recorded")
            logger.info("%s: %s", dataset.dataset_id, error)
            self.store.end(entry, "failed", error=str(error))
            return DatasetResult(dataset, "failed", error=str(error))
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            self.store.end(entry, status, error=str(error) or None)
            raise

    def _pull(
        self, dataset: Dataset, entry: dict[str, Any], last: Mapping[str, Any]
    ) -> DatasetResult:
        probe = self.client.probe(dataset)
        self.store.check_origin(is_synthetic=probe.ledger["is_synthetic"])
        reason = "asked for" if self.options.force else why_pull(probe, last)
        if reason is None:
            logger.info("%s: unchanged at the portal, not pulled", dataset.dataset_id)
            told = probe.ledger
            self.store.end(entry, "unchanged", **told, rows_present=last["rows_present"])
            return _result(dataset, "unchanged", told, last)
        logger.info("%s: pulling (%s)", dataset.dataset_id, reason)
        path = self.work_dir / f"{dataset.table}.jsonl"
        try:
            spooled = self.client.spool(dataset, probe, path, self.progress)
            return self._store(dataset, entry, last, spooled)
        finally:
            path.unlink(missing_ok=True)

    def _store(
        self, dataset: Dataset, entry: dict[str, Any], last: Mapping[str, Any], spooled: Spooled
    ) -> DatasetResult:
        held = self.store.held(dataset)
        pulled = _Pulled(self.store, entry, spooled)
        pipeline = pulled.read(dataset, held, self.work_dir)
        keys = pulled.keys()
        kinds, missing = classify(held, keys)
        if (kinds >= COPY).any():
            pulled.quarantine(_repeated(spooled.path, dataset, kinds, keys))
        # A damaged line that still says which record it is does not make that record missing.
        named = set(missing).intersection(pulled.damaged)
        nameless = sum(key not in named for key in pulled.damaged)
        missing = [key for key in missing if key not in named]
        refusal = None
        if not self.options.accept_shrink:
            readable = int((kinds < COPY).sum())
            refusal = _why_not_withdraw(dataset, readable, len(missing), nameless)
        counts = {f"rows_{name}": int((kinds == kind).sum()) for name, kind in _COUNTED.items()}
        counts |= {"rows_received": spooled.rows, "rows_quarantined": pulled.quarantined}
        counts["rows_withdrawn"] = 0 if refusal else len(missing)
        is_changed = counts["rows_unchanged"] + counts["rows_quarantined"] < spooled.rows
        if is_changed:
            pulled.write(pipeline, kinds)
        if not refusal:
            pulled.withdraw(missing)
        now, changes = last.get("profile"), []  # text: MongoDB does not take every field's name
        if is_changed or now is None:
            before, found = now, profile(spooled.path, spooled.rows)
            now, changes = json.dumps(found), compare(json.loads(before), found) if before else []
        told = spooled.probe.ledger
        arrived = counts["rows_new"] + counts["rows_restored"] - counts["rows_withdrawn"]
        self.lease.confirm()
        self.store.end(
            entry, "finished", **told, **counts,
            extracted_at=spooled.extracted_at, is_withdrawal_refused=refusal is not None,
            rows_present=present(held).num_rows + arrived, profile=now, profile_changes=changes,
        )  # fmt: skip
        result = _result(dataset, "finished", told, last)
        result.counts, result.profile_changes = counts, changes
        result.withdrawal_refused = refusal
        return result


_COUNTED = {"new": NEW, "changed": CHANGED, "unchanged": UNCHANGED, "restored": RESTORED}


class _Pulled:
    """The records of one pull, on their way from the spooled file into MongoDB."""

    def __init__(self, store: Store, entry: dict[str, Any], spooled: Spooled) -> None:
        self.quarantined = 0
        self.damaged: list[str | None] = []
        """The keys that lines which are no records still name; None for those that name none."""
        self._store, self._entry, self._spooled = store, entry, spooled
        self._rows: list[pa.RecordBatch] = []
        self._is_wanted: Any = None
        self._error: Exception | None = None

    def read(self, dataset: Dataset, held: pa.Table, work_dir: Path) -> Any:
        """Read the file; lines that are not held go into a load package of dlt.

        Returns the dlt pipeline with that package; None where every line is held.
        """
        batches = self._noted(records.read_batches(self._spooled.path, dataset, present(held)))
        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            return None
        import dlt

        from ingestion.warehouse import fresh_pipeline

        resource = dlt.resource(chain([first], batches), name=dataset.table)
        with _unwrapped(work_dir):
            pipeline = fresh_pipeline("pull", self._destination(), dataset.table, work_dir)
            pipeline.extract(resource, loader_file_format="parquet")
        return pipeline

    def _noted(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        """Note keys and hashes of all rows, and hand on the rows that have a payload."""
        import numpy as np
        import pyarrow as pa

        count = 0
        for batch in batches:
            self.quarantine(batch.quarantined)
            self.damaged += [line.record_key for line in batch.quarantined]
            self._rows.append(batch.rows.select(["record_key", "content_hash"]))
            numbers = np.arange(count, count + batch.rows.num_rows)
            count += batch.rows.num_rows
            rows = pa.Table.from_batches([batch.rows]).append_column("number", pa.array(numbers))
            yield rows.filter(rows["payload"].is_valid())

    def keys(self) -> pa.Table:
        """`record_key` and `content_hash` of every readable record."""
        import pyarrow as pa

        schema = pa.schema({"record_key": pa.string(), "content_hash": pa.string()})
        return pa.Table.from_batches(self._rows, schema)

    def quarantine(self, lines: Iterable[Quarantined]) -> None:
        """Keep lines out, and count them."""
        self.quarantined += self._store.quarantine(self._entry, lines)

    def write(self, pipeline: Any, kinds: Any) -> None:
        """Have dlt write what is new, changed or restored."""
        import numpy as np

        self._is_wanted = np.isin(kinds, (NEW, CHANGED, RESTORED))
        with _unwrapped(Path(pipeline.pipelines_dir)):
            pipeline.normalize()
            try:
                pipeline.load()
            except Exception as error:
                raise self._error or error from error

    def _destination(self) -> Any:
        import dlt
        from dlt.common.destination.exceptions import DestinationTerminalException

        @dlt.destination(
            name="mongodb", batch_size=INSERT_ROWS, loader_file_format="parquet",
            naming_convention="direct", skip_dlt_columns_and_tables=True,
        )  # fmt: skip
        def mongodb(batch: pa.RecordBatch, table: Any) -> None:  # noqa: ARG001 - dlt's signature
            try:
                wanted = batch.filter(self._is_wanted[batch.column("number").to_numpy()])
                self._insert(wanted.to_pylist())
            except Exception as error:
                self._error = error  # dlt keeps its text alone
                raise DestinationTerminalException(str(error)) from error

        return mongodb

    def withdraw(self, keys: list[str]) -> None:
        """Write a tombstone for each record."""
        first = self.keys().num_rows
        blank = dict.fromkeys(("content_hash", "line_hash", "payload"))
        self._insert({"number": n, "record_key": key, **blank} for n, key in enumerate(keys, first))

    def _insert(self, rows: Iterable[dict[str, Any]]) -> None:
        run, first_id = self._entry["run_sequence"], self._entry["run_sequence"] * RUN_SIZE
        self._store.insert(
            self._entry["table_name"],
            [
                {
                    "_id": Int64(first_id + row.pop("number")),
                    "run_sequence": run,
                    **row,
                    "is_withdrawn": row["payload"] is None,
                    "extracted_at": self._spooled.extracted_at,
                    "record": row["payload"] and records.document(row["payload"]),
                }
                for row in rows
            ],
        )


def why_pull(probe: Probe, last: Mapping[str, Any]) -> str | None:
    """Why a dataset must be pulled; None where nothing differs from `last`, its latest pull."""
    if "extracted_at" not in last:
        return "never pulled"
    if last["is_withdrawal_refused"] or last["rows_quarantined"]:
        return "the pull before had lines or withdrawals that were refused"
    if probe.ledger["portal_data_processed_at"] is None:
        return "the portal does not say when it processed the data"
    if change := probe.change(last):
        return change
    age = datetime.now(UTC) - last["extracted_at"]
    if age >= FULL_PULL_EVERY:
        return f"last pulled in full {age.days} days ago"
    return "last pulled in the future, by this machine's clock" if age < timedelta(0) else None


def _why_not_withdraw(dataset: Dataset, readable: int, missing: int, nameless: int) -> str | None:
    """Why what is absent from a pull may still be at the portal; None: it is not."""
    if readable < dataset.volume_floor:
        return (
            f"{readable} readable rows are below this dataset's floor of {dataset.volume_floor}: "
            "nothing was withdrawn. If the portal really holds so few, run again with "
            "--accept-shrink."
        )
    if missing and nameless:
        return (
            f"{nameless} quarantined line(s) do not say which record they are, so the {missing} "
            "record(s) missing from this pull may be among them: nothing was withdrawn. Look at "
            "`colleges status`; to withdraw all the same, run again with --accept-shrink."
        )
    return None


def _repeated(path: Path, dataset: Dataset, kinds: Any, keys: pa.Table) -> Iterator[Quarantined]:
    """The lines of records that came more than once: copies but the first, conflicts all."""
    seen = dict.fromkeys(keys["record_key"].filter(kinds >= COPY).to_pylist(), False)
    in_conflict = set(keys["record_key"].filter(kinds == CONFLICT).to_pylist())
    for number, line in enumerate(records.lines(path), 1):
        try:
            key = records.record_key(records.parse(line)[0], dataset)
        except records.BadRecordError:
            continue
        if key in in_conflict or seen.get(key):
            what = "different contents" if key in in_conflict else "the same content"
            detail = f"its key came more than once in one pull, with {what}"
            yield Quarantined(number, line, "duplicate_key", detail, key)
        elif key in seen:
            seen[key] = True


def _result(
    dataset: Dataset, status: str, told: Mapping[str, Any], last: Mapping[str, Any]
) -> DatasetResult:
    drift = json.loads(told["drift"])
    is_news = bool(drift) and told["drift"] != last.get("drift")
    return DatasetResult(dataset, status, drift=drift, is_drift_news=is_news)


@contextmanager
def _unwrapped(work_dir: Path) -> Iterator[None]:
    """Raise the error of ours, or of the disk, that dlt wrapped into its own."""
    with disk_full(work_dir):
        try:
            yield
        except Exception as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, (CollegesError, OSError)):
                cause = cause.__cause__ or cause.__context__
            raise cause or error from error
