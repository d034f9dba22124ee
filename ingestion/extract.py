"""Hop 1: one dataset from its portal into MongoDB, all of it or nothing.

The pull goes through dlt in two steps that cannot be confused: `extract` streams the portal's
export into a load package on local disk, and only a package whose stream ended well and whose
count reconciles is loaded, by a dlt custom destination, into the document store. Until the
store's commit nothing downstream sees any of it.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingestion.canonical import (
    BadRecordError,
    Reason,
    content_hash,
    parse_record,
    record_key,
    salvage_key,
)
from ingestion.dlt_runtime import fresh_pipeline
from ingestion.document_store import DocumentStore, KeyDigests, Load, Run, digest
from ingestion.errors import (
    CollegesError,
    DiskFullError,
    IncompletePullError,
    PortalError,
    PortalUnreachableError,
    UnknownDatasetError,
)
from ingestion.portal import PortalClient, PortalMovedError, Probe, decide_refresh
from ingestion.profile import Profiler, compare_profiles
from ingestion.registry import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

FULL_PULL_EVERY = timedelta(days=7)
PULL_ATTEMPTS = 3
PAGE_ROWS = 5_000
"""Rows handed over at a time: bounds memory at every step."""

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
    nameless_rows: int = 0
    """Bad lines of which not even the key could be read."""
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
    refusal = None if options.accept_shrink else _refuse_withdrawal(dataset, pull, counts)
    if refusal is None:
        counts["rows_withdrawn"] = store.withdraw_missing(load, pull.keys)
    else:
        logger.warning("%s: %s", dataset.dataset_id, refusal)
    profile = pull.profiler.result()
    last = store.last_finished_load(dataset)
    drift = _drift(probe)
    store.commit_load(
        load,
        rows_expected=probe.records_count,
        rows_received=pull.rows,
        **{name: counts[name] for name in sink.COUNTS},
        rows_withdrawn=counts["rows_withdrawn"],
        is_withdrawal_refused=refusal is not None,
        drift=drift,
        portal=probe.as_ledger(),
        profile=profile,
        profile_changes=compare_profiles((last or {}).get("profile"), profile),
    )
    return DatasetResult(
        dataset,
        "finished",
        counts={"rows_received": pull.rows, **counts},
        drift=drift,
        withdrawal_refused=refusal,
    )


def _refuse_withdrawal(dataset: Dataset, pull: _Pull, counts: Counter[str]) -> str | None:
    readable = pull.rows - counts["rows_quarantined"]
    if readable < dataset.volume_floor:
        return (
            f"{readable} readable rows are below this dataset's floor of {dataset.volume_floor}: "
            "nothing was withdrawn. If the portal really holds so few, run again with "
            "--accept-shrink."
        )
    if pull.nameless_rows:
        return (
            f"{pull.nameless_rows} quarantined line(s) do not say which record they are, so a "
            "record missing from this pull may be one of them: nothing was withdrawn. Look at "
            "`colleges status`; to withdraw all the same, run again with --accept-shrink."
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
        if isinstance(cause, OSError) and re.search("No space left|quota exceeded", str(cause)):
            return DiskFullError(
                f"The disk of {work_dir}, where a pull is kept until it is whole, is full. Nothing "
                "of this pull was stored; free some space and run again."
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
        ``content_hash`` string, ``reason`` string, ``detail`` string, ``raw`` large_binary.
    """
    page: list[tuple[int, str | None, str | None, str | None, str | None, bytes]] = []
    records: list[dict[str, Any]] = []

    def flush() -> pa.Table:
        table = _table(page)
        pull.keys.add([row[1] for row in page if row[1] is not None])
        pull.profiler.add(records)
        page.clear()
        records.clear()
        if progress:
            progress(dataset.dataset_id, pull.rows, probe.records_count)
        return table

    for lines in client.stream_lines(dataset):
        for line in lines:
            pull.rows += 1
            try:
                record = parse_record(line)
                key = record_key(record, dataset.key)
            except BadRecordError as bad:
                salvaged = salvage_key(line, dataset.key)
                pull.nameless_rows += salvaged is None
                page.append((pull.rows, salvaged, None, bad.reason, bad.detail, line))
            else:
                page.append((pull.rows, key, content_hash(record), None, None, line))
                records.append(record)
            if len(page) == PAGE_ROWS:
                yield flush()
    if page:
        yield flush()


def _table(page: list[tuple[Any, ...]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*page, strict=True))
    types = {
        "line_number": pa.int64(),
        "record_key": pa.string(),
        "content_hash": pa.string(),
        "reason": pa.string(),
        "detail": pa.string(),
        "raw": pa.large_binary(),
    }
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)],
        names=list(types),
    )


class _Sink:
    """The dlt custom destination: load packages of one pull into the document store."""

    COUNTS = ("rows_new", "rows_changed", "rows_unchanged", "rows_restored", "rows_quarantined")

    def __init__(self, store: DocumentStore, load: Load) -> None:
        self._store = store
        self._load = load
        self._duplicates: set[bytes] = set()
        self._held: defaultdict[str, list[_Row]] = defaultdict(list)
        self._error: Exception | None = None
        self.counts: Counter[str] = Counter()

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
        self._write_held()

    def _write_file(self, path: str) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PAGE_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                self._write_page([_Row(*row) for row in zip(*columns, strict=True)])

    def _write_page(self, rows: list[_Row]) -> None:
        page = []
        for row in rows:
            if row.reason is not None:
                self._quarantine(row, row.reason, row.detail or "")
            elif self._duplicates and digest(row.record_key) in self._duplicates:
                self._held[row.record_key].append(row)
            else:
                page.append(_page_row(row))
        self._store_page(page)

    def _write_held(self) -> None:
        """Records whose key came more than once in this pull.

        Copies that agree are one record. Where they differ nobody can say which is right: all are
        kept out, and the record stays as it was stored.
        """
        for rows in self._held.values():
            agree = len({row.content_hash for row in rows}) == 1
            if agree:
                self._store_page([_page_row(rows[0])])
            for row in rows[agree:]:
                what = "the same" if agree else "different"
                detail = f"the key came {len(rows)} times in one pull, with {what} content"
                self._quarantine(row, Reason.DUPLICATE_KEY, detail)

    def _store_page(self, page: list[tuple[str, str, bytes]]) -> None:
        if page:
            written = self._store.write_page(self._load, page)
            self.counts += Counter(written.as_ledger())

    def _quarantine(self, row: _Row, reason: str, detail: str) -> None:
        self.counts["rows_quarantined"] += 1
        self._store.quarantine(
            self._load,
            row.raw,
            reason=reason,
            detail=detail,
            record_key=row.record_key,
            line_number=row.line_number,
        )


class _Row(NamedTuple):
    """A line of the export: with its hash or, where it is kept out, with the reason."""

    line_number: int
    record_key: str
    content_hash: str
    reason: str | None
    detail: str | None
    raw: bytes


def _page_row(row: _Row) -> tuple[str, str, bytes]:
    return row.record_key, row.content_hash, row.raw


def _drift(probe: Probe) -> list[dict[str, Any]]:
    return [change.as_ledger() for change in probe.drift]


def _failed(
    dataset: Dataset, store: DocumentStore, run: Run, error: CollegesError
) -> DatasetResult:
    logger.error("%s: %s", dataset.dataset_id, error)
    store.fail_load(run, dataset, str(error))
    return DatasetResult(dataset, "failed", error=str(error))
