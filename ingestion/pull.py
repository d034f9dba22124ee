"""Hop 1: one dataset from its portal into MongoDB, all of it or nothing.

The portal's export is spooled into a file and verified (`ingestion.portal`), compared with what is
held, and what differs is written: a dlt resource reads the records, a dlt destination writes them.
Until the ledger's commit nothing downstream sees any of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bson import Int64

from ingestion import records
from ingestion.classify import (
    CHANGED,
    CONFLICT,
    COPY,
    NEW,
    RESTORED,
    UNCHANGED,
    Classified,
    classify,
    present,
)  # fmt: skip
from ingestion.errors import DiskFullError, PortalError, UnknownDatasetError, own_error
from ingestion.lock import Lease
from ingestion.portal import PortalClient, Progress, Spooled
from ingestion.profile import compare, in_words, profile
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

    force: bool = False
    """Pull even where nothing says that the data changed."""
    accept_shrink: bool = False
    """Withdraw records even below the volume floor or beside lines that name no record."""
    is_recorded_state: bool = False
    """The portal is a recorded state: a dataset it lacks is skipped, not failed."""


@dataclass
class DatasetResult:
    """What became of one dataset in this run."""

    dataset: Dataset
    status: str
    """As in the ledger: `finished`, `unchanged`, `not_recorded`, `failed`, `interrupted`."""
    counts: dict[str, int] = field(default_factory=dict)
    """`rows_received`, `rows_new` and so on, as in the ledger."""
    drift: list[dict[str, Any]] = field(default_factory=list)
    is_drift_news: bool = False
    """Whether the pull before did not have this drift."""
    profile_changes: list[dict[str, Any]] = field(default_factory=list)
    withdrawal_refused: str | None = None
    """Why records that are gone from the portal were not withdrawn."""
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
        try:
            return self._pull(dataset, entry, last)
        except PortalError as error:
            if isinstance(error, UnknownDatasetError) and self.options.is_recorded_state:
                logger.info("%s: not in this recorded state, skipped", dataset.dataset_id)
                self.store.end(entry, "not_recorded", rows_present=_present_rows(last))
                return DatasetResult(dataset, "not_recorded")
            logger.error("%s: %s", dataset.dataset_id, error)  # noqa: TRY400 - told, not a bug
            self.store.end(entry, "failed", error=str(error))
            return DatasetResult(dataset, "failed", error=str(error))
        except BaseException as error:
            # So that the ledger does not say "running"; the next run would find that out too.
            is_bug = isinstance(error, Exception)
            self.store.end(entry, "failed" if is_bug else "interrupted", error=str(error) or None)
            raise

    def _pull(
        self, dataset: Dataset, entry: dict[str, Any], last: Mapping[str, Any] | None
    ) -> DatasetResult:
        probe = self.client.probe(dataset)
        self.store.check_origin(is_synthetic=probe.is_synthetic)
        drift = [change._asdict() for change in probe.drift]
        told = probe.as_ledger()
        is_news = bool(drift) and told["drift"] != (last or {}).get("drift")
        reason = _why_pull(probe, last, self.options)
        if reason is None:
            logger.info("%s: unchanged at the portal, not pulled", dataset.dataset_id)
            self.store.end(entry, "unchanged", **told, rows_present=_present_rows(last))
            return DatasetResult(dataset, "unchanged", drift=drift, is_drift_news=is_news)
        logger.info("%s: pulling (%s)", dataset.dataset_id, reason)
        path = self.work_dir / f"{dataset.table}.jsonl"
        try:
            spooled = self.client.spool(dataset, probe, path, self.progress)
            return self._store(dataset, entry, last, spooled)
        finally:
            path.unlink(missing_ok=True)

    def _store(
        self, dataset: Dataset, entry: dict[str, Any], last: Mapping[str, Any] | None,
        spooled: Spooled,
    ) -> DatasetResult:  # fmt: skip
        held = self.store.held(dataset)
        pulled = _Pulled(self.store, entry, spooled, held)
        pipeline = pulled.read(dataset, self.work_dir)
        found = classify(held, pulled.keys())
        if (found.kinds >= COPY).any():
            pulled.quarantine(_repeated(spooled.path, dataset, found, pulled.keys()))
        found = pulled.without_damaged(found)
        counts = {
            "rows_received": spooled.rows,
            "rows_new": found.count(NEW),
            "rows_changed": found.count(CHANGED),
            "rows_unchanged": found.count(UNCHANGED),
            "rows_restored": found.count(RESTORED),
            "rows_quarantined": pulled.quarantined,
        }
        refusal = (
            None
            if self.options.accept_shrink
            else _why_not_withdraw(dataset, counts, pulled, found)
        )
        if refusal:
            logger.warning("%s: %s", dataset.dataset_id, refusal)
        counts["rows_withdrawn"] = 0 if refusal else len(found.missing)
        if counts["rows_new"] + counts["rows_changed"] + counts["rows_restored"]:
            pulled.write(pipeline, found)
        if counts["rows_withdrawn"]:
            pulled.withdraw(found.missing)
        present_rows = present(held).num_rows + counts["rows_new"] + counts["rows_restored"]
        now = (last or {}).get("profile")
        changes: list[dict[str, Any]] = []
        if now is None or any(counts[n] for n in ("rows_new", "rows_changed", "rows_restored")):
            before, now = now, profile(spooled.path, spooled.rows)
            changes = compare(before, now) if before else []
        if changes:
            logger.warning("%s: unlike the pull before: %s", dataset.dataset_id, in_words(changes))
        told = spooled.probe.as_ledger()
        self.lease.confirm()
        self.store.end(
            entry,
            "finished",
            **told,
            **counts,
            extracted_at=spooled.extracted_at,
            rows_present=present_rows - counts["rows_withdrawn"],
            is_withdrawal_refused=refusal is not None,
            profile=now,
            profile_changes=changes,
        )
        drift = [change._asdict() for change in spooled.probe.drift]
        is_news = bool(drift) and told["drift"] != (last or {}).get("drift")
        return DatasetResult(
            dataset, "finished", counts, drift, is_news, changes, withdrawal_refused=refusal
        )


class _Pulled:
    """The records of one pull, on their way from the spooled file into MongoDB."""

    def __init__(
        self, store: Store, entry: dict[str, Any], spooled: Spooled, held: pa.Table
    ) -> None:
        self.quarantined = 0
        self._store = store
        self._entry = entry
        self._spooled = spooled
        self._held = held
        self._first_id = entry["run_sequence"] * RUN_SIZE
        self._rows: list[pa.RecordBatch] = []
        self._count = 0
        self._damaged: list[str | None] = []
        self._table: pa.Table | None = None

    def read(self, dataset: Dataset, work_dir: Path) -> Any:
        """Read the file; lines that are not held yet go into a load package of dlt.

        Returns:
            The dlt pipeline with that package; None where every line is held.
        """
        batches = self._noted(
            records.read_batches(self._spooled.path, dataset, present(self._held))
        )
        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            return None
        import dlt

        from ingestion.warehouse import fresh_pipeline

        resource = dlt.resource(chain([first], batches), name=dataset.table)
        with _explained(work_dir):
            pipeline = fresh_pipeline("pull", self._destination(), dataset.table, work_dir)
            pipeline.extract(resource, loader_file_format="parquet")
        return pipeline

    def _noted(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        """Note keys and hashes of all rows, and hand on the rows that have a payload."""
        import numpy as np
        import pyarrow as pa

        for batch in batches:
            self.quarantine(batch.quarantined)
            self._damaged += [line.record_key for line in batch.quarantined]
            self._rows.append(batch.rows.select(["record_key", "content_hash"]))
            numbers = np.arange(self._count, self._count + batch.rows.num_rows)
            self._count += batch.rows.num_rows
            rows = pa.Table.from_batches([batch.rows]).append_column("number", pa.array(numbers))
            yield rows.filter(rows["payload"].is_valid())

    def keys(self) -> pa.Table:
        """`record_key` and `content_hash` of every readable record, in the order they came."""
        import pyarrow as pa

        if self._table is None:
            text = pa.string()
            empty = pa.schema({"record_key": text, "content_hash": text}).empty_table()
            read = [pa.Table.from_batches([rows]) for rows in self._rows]
            self._table = pa.concat_tables([empty, *read])
            self._rows.clear()
        return self._table

    def quarantine(self, lines: Iterable[Quarantined]) -> None:
        """Keep lines out, and count them."""
        counted = list(lines)
        self.quarantined += len(counted)
        self._store.quarantine(self._entry, counted)

    def without_damaged(self, found: Classified) -> Classified:
        """Do not call a record missing whose line came damaged but still names it."""
        named = set(self._damaged)
        return Classified(found.kinds, [key for key in found.missing if key not in named])

    def nameless(self) -> int:
        """How many damaged lines may be any record: they name none that is held and missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        named = pa.array(self._damaged, pa.string())
        is_known = pc.is_in(named, value_set=present(self._held)["record_key"])
        came = pc.is_in(named, value_set=self.keys()["record_key"])
        is_one = pc.and_(is_known, pc.invert(came))
        return len(named) - int(pc.sum(is_one).as_py() or 0)

    def write(self, pipeline: Any, found: Classified) -> None:
        """Have dlt write what is new, changed or restored."""
        import numpy as np

        self._is_wanted = np.isin(found.kinds, (NEW, CHANGED, RESTORED))
        with _explained(Path(pipeline.pipelines_dir)):
            pipeline.normalize()
            try:
                pipeline.load()
            except Exception as error:
                raise self._error or error from error

    _error: Exception | None = None

    def _destination(self) -> Any:
        import dlt
        from dlt.common.destination.exceptions import DestinationTerminalException

        @dlt.destination(
            batch_size=INSERT_ROWS,
            loader_file_format="parquet",
            name="mongodb",
            naming_convention="direct",
            skip_dlt_columns_and_tables=True,
        )
        def mongodb(batch: pa.RecordBatch, table: Any) -> None:  # noqa: ARG001 - dlt's signature
            try:
                self._store.insert(self._entry["table_name"], list(self._versions(batch)))
            except Exception as error:
                self._error = error  # dlt keeps its text alone
                raise DestinationTerminalException(str(error)) from error

        return mongodb

    def _versions(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        wanted = batch.filter(self._is_wanted[batch.column("number").to_numpy()])
        for row in wanted.to_pylist():
            yield self._version(
                row["number"], row["record_key"], row["content_hash"], row["line_hash"],
                row["payload"], records.document(row["payload"]),
            )  # fmt: skip

    def withdraw(self, missing: list[str]) -> None:
        """Write a tombstone for each record."""
        self._store.insert(
            self._entry["table_name"],
            [
                self._version(number, key, None, None, None, None)
                for number, key in enumerate(missing, self._count)
            ],
        )

    def _version(
        self, number: int, key: str, content_hash: str | None, line_hash: bytes | None,
        payload: str | None, record: dict[str, Any] | None,
    ) -> dict[str, Any]:  # fmt: skip
        return {
            "_id": Int64(self._first_id + number),
            "record_key": key,
            "run_sequence": self._entry["run_sequence"],
            "content_hash": content_hash,
            "line_hash": line_hash,
            "payload": payload,
            "is_withdrawn": payload is None,
            "extracted_at": self._spooled.extracted_at,
            "record": record,
        }


def _why_pull(probe: Probe, last: Mapping[str, Any] | None, options: PullOptions) -> str | None:
    """Why a dataset must be pulled, or None where nothing says so."""
    if options.force:
        return "asked for"
    if last is None:
        return "never pulled"
    if last.get("is_withdrawal_refused") or last.get("rows_quarantined"):
        return "the pull before had lines or withdrawals that were refused"
    if change := probe.difference(last):
        return change
    age = datetime.now(UTC) - last["extracted_at"]
    if age >= FULL_PULL_EVERY:
        return f"last pulled in full {age.days} days ago"
    if age < timedelta(0):
        return "last pulled in full in the future, by this machine's clock"
    return None


def _why_not_withdraw(
    dataset: Dataset, counts: Mapping[str, int], pulled: _Pulled, found: Classified
) -> str | None:
    """Why what is absent from a pull may still be at the portal; None: it is not."""
    readable = counts["rows_received"] - counts["rows_quarantined"]
    if readable < dataset.volume_floor:
        return (
            f"{readable} readable rows are below this dataset's floor of {dataset.volume_floor}: "
            "nothing was withdrawn. If the portal really holds so few, run again with "
            "--accept-shrink."
        )
    if found.missing and (nameless := pulled.nameless()):
        return (
            f"{nameless} quarantined line(s) do not say which record they are, so the "
            f"{len(found.missing)} record(s) missing from this pull may be among them: nothing was "
            "withdrawn. Look at `colleges status`; to withdraw all the same, run again with "
            "--accept-shrink."
        )
    return None


def _repeated(
    path: Path, dataset: Dataset, found: Classified, keys: pa.Table
) -> Iterator[Quarantined]:
    """The lines of records that came more than once: copies but the first, conflicts all."""
    repeated = keys["record_key"].filter(found.kinds >= COPY)
    in_conflict = set(keys["record_key"].filter(found.kinds == CONFLICT).to_pylist())
    names, seen = set(repeated.to_pylist()), set()
    for number, line in enumerate(records.lines(path), 1):
        try:
            key = records.record_key(records.parse(line)[0], dataset)
        except records.BadRecordError:
            continue
        if key not in names:
            continue
        if key in in_conflict:
            detail = "its key came more than once in one pull, with different contents"
            yield Quarantined(number, line, "duplicate_key", detail, key)
        elif key in seen:
            detail = "the same record came more than once in one pull"
            yield Quarantined(number, line, "duplicate_key", detail, key)
        seen.add(key)


def _present_rows(last: Mapping[str, Any] | None) -> int:
    return last["rows_present"] if last else 0


class _explained:  # noqa: N801 - reads as a function
    """Turn what dlt makes of an error back into the error."""

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None:
            return
        if ours := own_error(error):
            raise ours from error
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and re.search(
                "No space|quota|File too large", str(cause)
            ):
                raise DiskFullError(
                    f"The disk of {self._work_dir}, where a pull is kept until it is whole, is "
                    "full (or a quota or `ulimit -f` is met). Nothing of this pull was stored; "
                    "free some space and run again."
                ) from error
            cause = cause.__cause__ or cause.__context__
