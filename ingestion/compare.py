"""The versions MongoDB holds beside those in raw: summed run by run, or read side by side.

The sums are cheap and are what every load ends with: of a version they see key, run, hash and
state. Reading side by side is for whoever wants to know what differs: it sees the payloads too, and
whether key and hash are theirs. Both take constant memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ingestion.canonical import BadRecordError, content_hash, parse_record, record_key
from ingestion.document_store import VERSION_INDEX, WRITTEN_COUNTS, StoredVersion
from ingestion.raw_files import LEDGER
from ingestion.warehouse import SCHEMA, Connection, Warehouse

if TYPE_CHECKING:
    from ingestion.document_store import DocumentStore
    from ingestion.registry import Dataset

REPLIES_HASHED_AT_ONCE = 50
MAX_EXAMPLES = 5

Sums = dict[int, tuple[int, int]]
"""Run sequence → the number of its versions, and the sum of their hashes."""


# -- MongoDB's ledger ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LedgerLoad:
    """A load entry of MongoDB's ledger that ended, as far as the warehouse goes."""

    sequence: int
    run_id: str
    is_finished: bool
    versions: int
    """How many it wrote."""


Ledger = Mapping[str, Sequence[LedgerLoad]]
"""Table → its loads, in the order of runs."""


def read_ledger(store: DocumentStore, datasets: Iterable[Dataset]) -> Ledger:
    """What the ledger says of these datasets."""
    ledger: dict[str, list[LedgerLoad]] = {}
    for dataset in datasets:
        loads = ledger[dataset.table] = []
        for sequence, run_id, entry in store.ended_loads(dataset):
            is_finished = entry["status"] == "finished"
            versions = sum(entry[name] for name in WRITTEN_COUNTS) if is_finished else 0
            loads.append(LedgerLoad(sequence, run_id, is_finished, versions))
    return ledger


def newest(loads: Sequence[LedgerLoad]) -> int:
    """The latest run that wrote a version; 0 where none did."""
    return max((load.sequence for load in loads if load.versions), default=0)


def raw_tables(connection: Connection) -> frozenset[str]:
    """The tables of raw, in lower case."""
    return frozenset(
        str(name).lower()
        for (name,) in connection.rows(
            "select table_name from information_schema.tables"  # noqa: S608
            f" where lower(table_schema) = '{SCHEMA}' and table_catalog = current_database()"
        )
    )


# -- sums ------------------------------------------------------------------------------------------


def sums_in_store(
    store: DocumentStore, warehouse: Warehouse, dataset: Dataset, loads: Sequence[LedgerLoad]
) -> Sums:
    """Of finished loads in MongoDB, read from the version index alone and added up by DuckDB."""
    finished = [load.sequence for load in loads if load.is_finished]
    sums: Sums = {}
    if not finished:
        return sums
    import duckdb
    import pyarrow as pa

    columns = ("record_key", "run_sequence", "content_hash")
    with duckdb.connect() as local:
        tables = store.scan(dataset, columns, index=VERSION_INDEX)
        while page := list(islice(tables, REPLIES_HASHED_AT_ONCE)):
            local.register("versions", pa.concat_tables(page))
            for sequence, count, total in local.execute(
                f"select run_sequence, count(*), sum({warehouse.version_hash_locally})"  # noqa: S608
                f" from versions where run_sequence in ({', '.join(map(str, finished))}) group by 1"
            ).fetchall():
                before = sums.get(sequence, (0, 0))
                sums[sequence] = (before[0] + count, before[1] + int(total))
    return sums


def sums_in_raw(
    warehouse: Warehouse, connection: Connection, tables: frozenset[str], dataset: Dataset
) -> Sums:
    """Of everything in a raw table."""
    if dataset.table not in tables:
        return {}
    return {
        int(sequence): (int(count), int(total))
        for sequence, count, total in connection.rows(
            # As text: the sum has more digits than a number a driver might make of it.
            "select run_sequence, count(*),"  # noqa: S608
            f" cast(sum({warehouse.version_hash}) as varchar)"
            f" from {SCHEMA}.{dataset.table} group by 1"
        )
    }


# -- side by side ----------------------------------------------------------------------------------


class Version(NamedTuple):
    """A version as one of both sides holds it."""

    record_key: str
    run_sequence: int
    content_hash: str | None
    is_withdrawn: bool
    payload: str | None
    run_id: str | None = None
    """Null in MongoDB, where the ledger has it."""
    extracted_at: datetime | None = None
    """Only of raw, naive, in UTC."""

    @classmethod
    def of_raw(cls, row: Sequence[Any]) -> Self:
        """From the columns of raw of the same names; a driver may have its own whole numbers."""
        return cls(row[0], int(row[1]), *row[2:])

    @property
    def place(self) -> tuple[str, int]:
        """Where it stands in the order both sides are read in."""
        return self.record_key, -self.run_sequence

    def is_sound(self, dataset: Dataset) -> bool:
        """Whether key and hash are those of its payload; in a tombstone, whether both are null."""
        if self.is_withdrawn or self.payload is None:
            return self.is_withdrawn and self.payload is None and self.content_hash is None
        try:
            record = parse_record(self.payload.encode())
            found = (
                record_key(record, dataset.key, dataset.nullable_key),
                content_hash(record),
            )
        except BadRecordError:
            return False
        return found == (self.record_key, self.content_hash)

    def to_store(self) -> StoredVersion:
        """A version of raw, to be written back."""
        assert self.extracted_at is not None
        return StoredVersion(
            self.record_key,
            self.run_sequence,
            self.content_hash,
            self.payload,
            self.extracted_at.replace(tzinfo=UTC),
        )

    def __str__(self) -> str:
        return f"{self.record_key} of run {self.run_sequence}"


def side_by_side(
    store: DocumentStore,
    connection: Connection,
    tables: frozenset[str],
    dataset: Dataset,
    loads: Sequence[LedgerLoad],
) -> Iterator[tuple[Version | None, Version | None]]:
    """MongoDB's versions of finished loads, each with raw's; None where a side has none.

    A second copy of a row of raw stands alone, after the first.
    """
    in_store, in_raw = _of_store(store, dataset, loads), _of_raw(connection, tables, dataset)
    ours, theirs = next(in_store, None), next(in_raw, None)
    while ours or theirs:
        if theirs is None or (ours is not None and ours.place < theirs.place):
            yield ours, None
            ours = next(in_store, None)
        elif ours is None or theirs.place < ours.place:
            yield None, theirs
            theirs = next(in_raw, None)
        else:
            yield ours, theirs
            ours, theirs = next(in_store, None), next(in_raw, None)


def _of_store(
    store: DocumentStore, dataset: Dataset, loads: Sequence[LedgerLoad]
) -> Iterator[Version]:
    finished = [load.sequence for load in loads if load.is_finished]
    if not finished:
        return
    columns = Version._fields[:5]
    for table in store.scan(dataset, columns, index=VERSION_INDEX, runs=finished):
        for row in table.to_pylist():
            yield Version(**row)


def _of_raw(connection: Connection, tables: frozenset[str], dataset: Dataset) -> Iterator[Version]:
    if dataset.table not in tables:
        return
    for row in connection.stream(
        f"select {', '.join(Version._fields)}"  # noqa: S608
        f" from {SCHEMA}.{dataset.table} order by record_key, run_sequence desc",
        page=1_000,
    ):
        yield Version.of_raw(row)


# -- what differs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """How one raw table differs from MongoDB, and MongoDB from its ledger, counted in versions."""

    dataset_id: str
    missing: int
    """In MongoDB alone."""
    pending: int
    """Those of them that no load has brought yet."""
    extra: int
    """In raw alone, a second copy of a row included."""
    different: int
    """In both, with another payload, another hash or another state; or no longer what its key and
    hash say, in either."""
    examples: tuple[str, ...]
    """Up to five of them: ``<record key> of run <sequence>``."""
    altered_in_mongodb: int
    """In MongoDB, and no longer what its key and hash say."""
    to_put_back: int
    """In raw alone and sound, of a run of which MongoDB lost versions."""
    runs_cut_short: tuple[int, ...]
    """Those runs."""
    displaced: int
    """In raw alone and sound, of a run of which MongoDB holds as many as it wrote: another version
    stands there in their place, or raw was added to."""
    unaccounted: int
    """By how much MongoDB's ledger differs from MongoDB's versions with those put back."""
    unknown: int
    """In raw alone, of loads that raw says are finished and MongoDB does not know."""

    def __bool__(self) -> bool:
        return bool(
            self.missing or self.extra or self.different
            or self.altered_in_mongodb or self.to_put_back or self.unaccounted
        )  # fmt: skip

    def __str__(self) -> str:
        told = (
            f"{self.dataset_id}: {self.missing} missing from raw, {self.extra} extra, "
            f"{self.different} different"
        )
        if self.examples:
            told += f" ({'; '.join(self.examples)})"
        more = [
            f"{count} {what}"
            for count, what in (
                (self.pending, "were not loaded yet"),
                (self.to_put_back, "that MongoDB lost can be put back into it from raw"),
                (self.displaced, "of raw are not in MongoDB, which holds as many without them"),
                (self.unaccounted, "of MongoDB's ledger are neither there nor in raw"),
                (self.altered_in_mongodb, "were altered in MongoDB"),
                (self.unknown, "in raw are of runs this MongoDB does not know"),
            )
            if count
        ]
        return "; ".join([told, *more])

    @property
    def is_pending(self) -> bool:
        """Whether nothing differs but what is yet to be loaded."""
        return 0 < self.missing == self.pending and not replace(self, missing=0)

    @property
    def why_not_rebuild(self) -> str | None:
        """Why a version would be lost, or an altered one spread, by rebuilding raw from MongoDB."""
        if self.unknown:
            return (
                f"{SCHEMA} has {self.unknown} versions of {self.dataset_id} of runs that this "
                "MongoDB knows nothing of: rebuilding raw would lose them. Use the MongoDB this "
                "warehouse was loaded from, or another warehouse. If it is an older copy of that "
                "MongoDB: drop its database, and the next run rebuilds it from raw, which has more."
            )
        told = f"({'; '.join(self.examples)})"
        if self.altered_in_mongodb:
            return (
                f"{self.altered_in_mongodb} versions of {self.dataset_id} were altered in MongoDB: "
                "they are not what their key and hash say, and raw must not be rebuilt from them "
                f"{told}. {_BACKUP}"
            )
        if self.displaced:
            return (
                f"{SCHEMA} has {self.displaced} versions of {self.dataset_id} that MongoDB lacks, "
                "while it holds as many of their runs as they wrote: rebuilding raw would lose "
                f"them, and nobody can tell which side was changed {told}. {_BACKUP}"
            )
        if self.unaccounted:
            return (
                f"{self.dataset_id}: MongoDB's versions are {self.unaccounted} off from what its "
                f"ledger says was written, and raw does not have them either. {_BACKUP}"
            )
        return None


_BACKUP = "Put MongoDB back from a backup; docs/runbook.md says what to do where there is none."


def find_differences(
    store: DocumentStore,
    warehouse: Warehouse,
    connection: Connection,
    dataset: Dataset,
    loads: Sequence[LedgerLoad],
) -> Difference:
    """Read both sides whole and count what differs between them, and from MongoDB's ledger."""
    tables = raw_tables(connection)
    finished = {load.sequence: load.run_id for load in loads if load.is_finished}
    loaded = _finished_in_raw(connection, tables, dataset)
    missing = extra = different = altered = unknown = 0
    latest = max(loaded, default=0)
    pending = 0
    held: Counter[int] = Counter()
    in_raw_alone: Counter[int] = Counter()
    examples: list[str] = []
    last = None
    for ours, theirs in side_by_side(store, connection, tables, dataset, loads):
        is_odd = True
        is_altered = ours is not None and not ours.is_sound(dataset)
        altered += is_altered
        if ours:
            held[ours.run_sequence] += 1
        if theirs is None:
            missing += 1
            pending += ours is not None and ours.run_sequence > latest
        elif ours is None:
            extra += 1
            run = theirs.run_sequence
            if theirs.place == last:
                pass
            elif theirs.run_id == finished.get(run):
                in_raw_alone[run] += theirs.is_sound(dataset)
            elif theirs.run_id == loaded.get(run):
                unknown += 1
        else:
            is_odd = is_altered or not _agree(warehouse, dataset, ours, theirs)
            different += is_odd
        if theirs:
            last = theirs.place
        if is_odd and len(examples) < MAX_EXAMPLES:
            examples.append(str(ours or theirs))
    short = {
        load.sequence: load.versions - held[load.sequence]
        for load in loads
        if load.is_finished and load.versions != held[load.sequence]
    }
    to_put_back = {run: in_raw_alone[run] for run, lacking in short.items() if lacking > 0}
    return Difference(
        dataset.dataset_id,
        missing=missing,
        pending=pending,
        extra=extra,
        different=different,
        examples=tuple(examples),
        altered_in_mongodb=altered,
        to_put_back=sum(to_put_back.values()),
        runs_cut_short=tuple(to_put_back),
        displaced=sum(in_raw_alone.values()) - sum(to_put_back.values()),
        unaccounted=sum(abs(short[run] - to_put_back.get(run, 0)) for run in short),
        # Where this MongoDB never wrote a version, whatever raw has is another's.
        unknown=unknown if newest(loads) else extra,
    )


def _agree(warehouse: Warehouse, dataset: Dataset, ours: Version, theirs: Version) -> bool:
    if ours[2:4] != theirs[2:4]:
        return False
    if warehouse.keeps_text or ours.payload is None or theirs.payload is None:
        return ours.payload == theirs.payload
    return theirs.is_sound(dataset)


def _finished_in_raw(
    connection: Connection, tables: frozenset[str], dataset: Dataset
) -> Mapping[int, str]:
    """Run sequence → run id, of the finished loads that raw's own ledger has."""
    if LEDGER not in tables:
        return {}
    return {
        int(sequence): run_id
        for sequence, run_id in connection.rows(
            f"select run_sequence, run_id from {SCHEMA}.{LEDGER}"  # noqa: S608
            f" where table_name = '{dataset.table}' and status = 'finished'"
        )
    }
