"""Hop 1: one dataset from its portal into MongoDB, all of it or nothing.

The pull goes through dlt in two steps that cannot be confused: `extract` streams the portal's
export into a load package on local disk, and only a package whose stream ended well and whose
count reconciles is loaded, by a dlt custom destination, into the document store. Until the
store's commit nothing downstream sees any of it.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingestion.canonical import (
    BadRecordError,
    Reason,
    content_digest,
    parse_record,
    record_key,
    salvage_key,
)
from ingestion.dlt_runtime import fresh_pipeline
from ingestion.document_store import COUNTS, PAGE_ROWS, DocumentStore, Load, Page, Run
from ingestion.errors import (
    CollegesError,
    DiskFullError,
    IncompletePullError,
    PortalError,
    PortalUnreachableError,
    SettingsError,
    UnknownDatasetError,
)
from ingestion.portal import PortalClient, PortalMovedError, Probe, decide_refresh
from ingestion.profile import Profiler, compare_profiles, in_words
from ingestion.registry import Dataset
from ingestion.version_ids import KeyDigests, digest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

logger = logging.getLogger(__name__)

FULL_PULL_EVERY = timedelta(days=7)
PULL_ATTEMPTS = 3
PAGE_BYTES = 32 * 1024 * 1024
"""Of rows that are handed over at a time, beside `PAGE_ROWS`: bounds memory at every step."""

_FULL = "No space left|quota exceeded|File too large"

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset id, rows so far, rows expected)."""


@dataclass(frozen=True)
class ExtractOptions:
    """How a person may steer an extract."""

    force: bool = False
    """Pull even where the probe says that nothing changed."""
    accept_shrink: bool = False
    """Withdraw records even below the volume floor or beside lines that name no record."""
    is_recorded_state: bool = False
    """The portal is a recorded state: a dataset it lacks is skipped, not failed."""


@dataclass
class DatasetResult:
    """What became of one dataset in this run."""

    dataset: Dataset
    status: str
    """``finished``, ``unchanged``, ``not_recorded`` or ``failed``, as in the ledger."""
    counts: dict[str, int] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)
    withdrawal_refused: str | None = None
    """Why records that are gone from the portal were not withdrawn."""
    error: str | None = None

    @property
    def needs_attention(self) -> bool:
        """True where the run must not end with success."""
        return self.status == "failed" or self.withdrawal_refused is not None


@dataclass
class _Pull:
    """One complete pull, spooled in a dlt load package."""

    extracted_at: datetime
    profiler: Profiler
    keys: KeyDigests = field(default_factory=KeyDigests)
    rows: int = 0
    pipeline: Any = None


def extract_dataset(
    dataset: Dataset,
    *,
    client: PortalClient,
    store: DocumentStore,
    run: Run,
    work_dir: Path,
    options: ExtractOptions,
    progress: Progress | None = None,
) -> DatasetResult:
    """Bring one dataset in; what the portal or its records did wrong ends this dataset alone.

    Args:
        dataset: the registry's entry.
        client: portal client.
        store: document store, locked by the caller.
        run: the run this load belongs to.
        work_dir: dlt's working files.
        options: see :class:`ExtractOptions`.
        progress: called as rows arrive.

    Returns:
        The result, with ``status='failed'`` and the message where the dataset failed.

    Raises:
        StoreError: MongoDB is out of reach, so that no dataset can be stored.
        DiskFullError: the disk of ``work_dir`` is full, so that no dataset can be pulled.
        MixedOriginError: synthetic and real records would meet.
    """
    try:
        probe = client.probe(dataset)
        store.claim_origin(is_synthetic=probe.is_synthetic)
        reason = _why_pull(dataset, probe, store, options)
        if reason is None:
            logger.info("%s: unchanged at the portal, not pulled", dataset.dataset_id)
            store.skip_load(run, dataset, status="unchanged", portal=probe.as_ledger())
            return DatasetResult(dataset, "unchanged", drift=_drift(probe))
        logger.info("%s: pulling (%s)", dataset.dataset_id, reason)
        return _pull_and_store(dataset, probe, client, store, run, work_dir, options, progress)
    except UnknownDatasetError as error:
        if options.is_recorded_state:
            logger.info("%s: not recorded in this portal state, skipped", dataset.dataset_id)
            store.skip_load(run, dataset, status="not_recorded")
            return DatasetResult(dataset, "not_recorded")
        return _failed(dataset, store, run, error)
    except PortalError as error:
        return _failed(dataset, store, run, error)


def _why_pull(
    dataset: Dataset, probe: Probe, store: DocumentStore, options: ExtractOptions
) -> str | None:
    last = store.last_finished_load(dataset)
    # A withdrawal that was refused must be decided again, whatever the probe says.
    refused = bool(last and last.get("is_withdrawal_refused"))
    return decide_refresh(
        probe,
        last.get("portal") if last else None,  # none in an entry of an older version
        last_full_pull_at=store.last_full_pull_at(dataset),
        max_age=FULL_PULL_EVERY,
        now=datetime.now(UTC),
        force=options.force or refused,
    )


def _pull_and_store(
    dataset: Dataset,
    probe: Probe,
    client: PortalClient,
    store: DocumentStore,
    run: Run,
    work_dir: Path,
    options: ExtractOptions,
    progress: Progress | None,
) -> DatasetResult:
    load = store.begin_load(run, dataset)
    sink = _Sink(store, load)
    pull, probe = _complete_pull(dataset, probe, client, sink, work_dir, progress)
    load.extracted_at = pull.extracted_at
    sink.write(pull)

    counts = Counter(sink.counts)
    refusal = None if options.accept_shrink else _why_not_withdraw(pull, sink)
    if refusal is None:
        counts["rows_withdrawn"] = store.withdraw_missing(load, pull.keys)
    else:
        logger.warning("%s: %s", dataset.dataset_id, refusal)
    profile = pull.profiler.result()
    last = store.last_finished_load(dataset)
    changes = compare_profiles((last or {}).get("profile"), profile)
    if changes:
        logger.warning("%s: unlike the pull before: %s", dataset.dataset_id, in_words(changes))
    drift = _drift(probe)
    store.commit_load(
        load,
        rows_expected=probe.records_count,
        rows_received=pull.rows,
        **{name: counts[name] for name in COUNTS},
        rows_withdrawn=counts["rows_withdrawn"],
        is_withdrawal_refused=refusal is not None,
        drift=drift,
        portal=probe.as_ledger(),
        profile=profile,
        profile_changes=changes,
    )
    return DatasetResult(
        dataset,
        "finished",
        counts={"rows_received": pull.rows, **counts},
        drift=drift,
        withdrawal_refused=refusal,
    )


def _why_not_withdraw(pull: _Pull, sink: _Sink) -> str | None:
    """Why what is absent from a pull may still be at the portal; None: it is not."""
    floor = sink.load.dataset.volume_floor
    readable = pull.rows - sink.counts["rows_quarantined"]
    if readable < floor:
        return (
            f"{readable} readable rows are below this dataset's floor of {floor}: "
            "nothing was withdrawn. If the portal really holds so few, run again with "
            "--accept-shrink."
        )
    if sink.nameless_rows and (missing := sink.store.missing_count(sink.load, pull.keys)):
        return (
            f"{sink.nameless_rows} quarantined line(s) do not say which record they are, so the "
            f"{missing} record(s) missing from this pull may be among them: nothing was withdrawn. "
            "Look at `colleges status`; to withdraw all the same, run again with --accept-shrink."
        )
    return None


def _complete_pull(
    dataset: Dataset,
    probe: Probe,
    client: PortalClient,
    sink: _Sink,
    work_dir: Path,
    progress: Progress | None,
) -> tuple[_Pull, Probe]:
    """Stream the export until one pull is whole and its count reconciles.

    A cut stream is pulled again from the start, since the export has no offset. Where the portal
    published new data during the pull, it is read once more against the new count.
    """
    moved = False
    for attempt in range(1, PULL_ATTEMPTS + 1):
        try:
            pull = _spool(dataset, probe, client, sink, work_dir, progress)
            client.verify_pull(dataset, probe, pull.rows)
        except PortalMovedError as error:
            if moved:
                raise
            moved = True
            logger.warning("%s; reading once more", error)
            probe = client.probe(dataset)
        except (IncompletePullError, PortalUnreachableError) as error:
            if attempt == PULL_ATTEMPTS:
                raise
            logger.warning("%s; pull %d of %d", error, attempt + 1, PULL_ATTEMPTS)
            client.back_off(attempt)
        else:
            return pull, probe
    raise AssertionError("unreachable: the last attempt returns or raises")


def _spool(
    dataset: Dataset,
    probe: Probe,
    client: PortalClient,
    sink: _Sink,
    work_dir: Path,
    progress: Progress | None,
) -> _Pull:
    """dlt's extract step: the stream into Arrow batches in a load package on local disk."""
    import dlt

    pull = _Pull(datetime.now(UTC), Profiler(expected_rows=probe.records_count))
    try:
        pipeline = fresh_pipeline(
            f"extract_{dataset.table}", sink.destination(), dataset.table, work_dir
        )
        resource = dlt.resource(
            _record_batches(dataset, probe, client, pull, progress), name=dataset.table
        )
        pipeline.extract(resource, loader_file_format="parquet")
    except Exception as error:
        raise _own_error(error, work_dir) from error
    pull.pipeline = pipeline
    return pull


def _own_error(error: BaseException, work_dir: Path) -> BaseException:
    """The error of ours that dlt wrapped or that its cause amounts to; else dlt's own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CollegesError):
            return cause
        if isinstance(cause, OSError) and re.search(_FULL, str(cause)):
            return DiskFullError(
                f"The disk of {work_dir}, where a pull is kept until it is whole, is full (or a "
                "quota or `ulimit -f` is met). Nothing of this pull was stored; free some space "
                "and run again."
            )
        cause = cause.__cause__ or cause.__context__
    return error


def _record_batches(
    dataset: Dataset,
    probe: Probe,
    client: PortalClient,
    pull: _Pull,
    progress: Progress | None,
) -> Iterator[pa.Table]:
    """The export's lines with their key and hash, or with the reason why they are kept out.

    Yields:
        Tables of at most ``PAGE_ROWS`` rows: ``line_number`` int64, ``record_key`` string,
        ``digest`` and ``content_digest`` binary, ``reason`` string, ``detail`` string, ``raw``
        large_binary.
    """
    page: list[_Row] = []
    records: list[dict[str, Any]] = []
    size = 0

    def flush() -> pa.Table:
        nonlocal size
        table = _table(page)
        pull.keys.add_digests(b"".join(row.digest for row in page if row.digest is not None))
        pull.profiler.add(records)
        page.clear()
        records.clear()
        size = 0
        if progress:
            progress(dataset.dataset_id, pull.rows, probe.records_count)
        return table

    for lines in client.stream_lines(dataset):
        for line in lines:
            pull.rows += 1
            size += len(line)
            try:
                record = parse_record(line)
                key = record_key(record, dataset.key, dataset.nullable_key)
            except BadRecordError as bad:
                named = salvage_key(line, dataset.key, dataset.nullable_key)
                token = None if named is None else digest(named)
                page.append(_Row(pull.rows, named, token, None, bad.reason, bad.detail, line))
            else:
                page.append(
                    _Row(pull.rows, key, digest(key), content_digest(record), None, None, line)
                )
                records.append(record)
            if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
                yield flush()
    if page:
        yield flush()


class _Row(NamedTuple):
    """A line of the export: with its hash or, where it is kept out, with the reason."""

    line_number: int
    record_key: str | None
    digest: bytes | None
    """Of the key."""
    content_digest: bytes | None
    reason: str | None
    detail: str | None
    raw: bytes


def _table(page: list[_Row]) -> pa.Table:
    import pyarrow as pa

    types = {
        "line_number": pa.int64(),
        "record_key": pa.string(),
        "digest": pa.binary(),
        "content_digest": pa.binary(),
        "reason": pa.string(),
        "detail": pa.string(),
        "raw": pa.large_binary(),
    }
    columns = zip(*page, strict=True)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)],
        names=list(types),
    )


_COMPARED = ["digest", "content_digest"]
"""The columns of the spool that say whether a record is stored as it came."""


class _Sink:
    """The dlt custom destination: load packages of one pull into the document store."""

    def __init__(self, store: DocumentStore, load: Load) -> None:
        self.store = store
        self.load = load
        self.counts: Counter[str] = Counter()
        self.nameless_rows = 0
        """Bad lines that do not name a record: nobody can tell which one they are."""
        self._duplicates: set[bytes] = set()
        self._stored_copies: set[bytes] = set()
        self._page: list[_Row] = []
        self._page_bytes = 0
        self._is_begun = False
        self._error: Exception | None = None

    def destination(self) -> Any:
        import dlt
        from dlt.common.destination.exceptions import DestinationTerminalException

        # batch_size=0: dlt hands over the file; it is read here, page by page.
        @dlt.destination(
            batch_size=0,
            loader_file_format="parquet",
            name="mongodb",
            naming_convention="direct",
            skip_dlt_columns_and_tables=True,
        )
        def mongodb(path: Any, table: Any) -> None:  # noqa: ARG001 - dlt's signature
            try:
                self._write_file(path)
            except Exception as error:
                self._error = error
                raise DestinationTerminalException(str(error)) from error

        return mongodb

    def write(self, pull: _Pull) -> None:
        """dlt's load step.

        Raises:
            StoreError: a write failed; nothing is committed.
            DiskFullError: dlt could not prepare its files; nothing is committed.
        """
        self._duplicates = pull.keys.duplicates()
        try:
            pull.pipeline.normalize()
            pull.pipeline.load()
        except Exception as error:
            work_dir = Path(pull.pipeline.pipelines_dir)
            raise self._error or _own_error(error, work_dir) from error

    def _write_file(self, path: str) -> None:
        import pyarrow.parquet as pq

        if self._is_begun:
            raise SettingsError(
                "dlt split a pull into several files. Unset its DATA_WRITER settings (names that "
                "end in FILE_MAX_ITEMS or FILE_MAX_BYTES) in this environment and run again."
            )
        self._is_begun = True
        with pq.ParquetFile(path) as file:
            copies = self._copies(file) if self._duplicates else {}
            # Few rows at a time where they are large: a row group is a page of the pull.
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_size=PAGE_ROWS, row_groups=[group]):
                    self._write_batch(self._without_unchanged(batch, copies), copies)
        self._write_page()

    def _copies(self, file: pq.ParquetFile) -> dict[bytes, Counter[bytes]]:
        """Of the keys that came more than once: content → how often it came, of readable rows."""
        copies: dict[bytes, Counter[bytes]] = {key: Counter() for key in self._duplicates}
        for batch in file.iter_batches(columns=_COMPARED):
            for key, content in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                if content is not None and key in copies:
                    copies[key][content] += 1
        return copies

    def _without_unchanged(
        self, batch: pa.RecordBatch, copies: dict[bytes, Counter[bytes]]
    ) -> pa.RecordBatch:
        """Count and leave out the records that are stored as they came: no row is made of those."""
        import numpy as np
        import pyarrow as pa

        digests, contents = (batch.column(name).to_pylist() for name in _COMPARED)
        rows = [
            row
            for row, content in enumerate(contents)
            if content is not None and digests[row] not in copies
        ]
        is_unchanged = self.store.are_unchanged(
            self.load,
            b"".join([digests[row] for row in rows]),
            b"".join([contents[row] for row in rows]),
        )
        is_left = np.ones(len(contents), dtype=bool)
        is_left[np.array(rows, dtype=int)[is_unchanged]] = False
        self.counts["rows_unchanged"] += int(np.count_nonzero(is_unchanged))
        return batch.filter(pa.array(is_left))

    def _write_batch(self, batch: pa.RecordBatch, copies: dict[bytes, Counter[bytes]]) -> None:
        """Write rows, a page at a time; bad lines, and keys that came more than once, are kept out.

        Copies that agree are one record. Where they differ nobody can say which is right: all are
        kept out, and the record stays as it was stored.
        """
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            row = _Row(*values)
            if self._is_kept(row, copies):
                self._page.append(row)
                self._page_bytes += len(row.raw)
                if len(self._page) == PAGE_ROWS or self._page_bytes >= PAGE_BYTES:
                    self._write_page()

    def _write_page(self) -> None:
        if self._page:
            _, keys, digests, contents, _, _, payloads = zip(*self._page, strict=True)
            page = Page(keys, b"".join(digests), b"".join(contents), payloads)
            self.counts += Counter(self.store.write_page(self.load, page).as_ledger())
            self._page.clear()
            self._page_bytes = 0

    def _is_kept(self, row: _Row, copies: dict[bytes, Counter[bytes]]) -> bool:
        if row.reason is not None:
            self.nameless_rows += not self._names_a_record(row)
            self._quarantine(row, row.reason, row.detail or "")
            return False
        if row.digest not in copies:
            return True
        contents = copies[row.digest]
        if len(contents) == 1 and row.digest not in self._stored_copies:
            self._stored_copies.add(row.digest)
            return True
        what = "the same" if len(contents) == 1 else "different"
        detail = f"the key came {contents.total()} times in one pull, with {what} content"
        self._quarantine(row, Reason.DUPLICATE_KEY, detail)
        return False

    def _names_a_record(self, row: _Row) -> bool:
        """Whether a bad line is sure to be that of the record it names, and of no other.

        The damage may be in the key itself: only a record that is there, and came by no other line,
        can be the one.
        """
        return (
            row.digest is not None
            and row.digest not in self._duplicates
            and bool(self.store.are_present(self.load, row.digest).all())
        )

    def _quarantine(self, row: _Row, reason: str, detail: str) -> None:
        self.counts["rows_quarantined"] += 1
        self.store.quarantine(
            self.load,
            row.raw,
            reason=reason,
            detail=detail,
            record_key=row.record_key,
            line_number=row.line_number,
        )


def _drift(probe: Probe) -> list[dict[str, Any]]:
    return [change.as_ledger() for change in probe.drift]


def _failed(
    dataset: Dataset, store: DocumentStore, run: Run, error: CollegesError
) -> DatasetResult:
    logger.error("%s: %s", dataset.dataset_id, error)
    store.fail_load(run, dataset, str(error))
    return DatasetResult(dataset, "failed", error=str(error))
