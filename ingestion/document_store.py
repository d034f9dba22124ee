"""The document store: every version of every record, the ledger of runs, the quarantine.

The collections are those of ``docs/architecture.md``. Three rules carry everything else:

- A version counts only once its load is ``finished`` in the ledger; that one update is the commit.
  Whatever reads versions leaves out those of other loads, so what a killed run left is invisible
  before it is removed, and a run that lost its lock cannot commit.
- Versions are only ever added. A record's current version is the one of its greatest run sequence.
- Every write is journalled before it is acknowledged (see `ingestion.mongod.connect`). Journalling
  the commit alone would not do: where mongod dies and restarts between a page and the commit, the
  client reconnects by itself and would commit a load whose pages are gone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import secrets
import sys
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import orjson
from bson import Int64
from bson.errors import BSONError
from gridfs import GridFSBucket, NoFile
from numpy.typing import NDArray
from pymongo import ASCENDING, DESCENDING, CursorType, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from ingestion.errors import MixedOriginError, StoreError
from ingestion.mongod import mongodb_errors
from ingestion.raw_replies import RawReplies
from ingestion.registry import Dataset, registry
from ingestion.store_lock import HEARTBEAT_S, LEASE_S, StoreLock
from ingestion.version_ids import (
    ID,
    ID_LAYOUT,
    NO_HASH,
    CurrentVersions,
    KeyDigests,
    digest,
    first_halves,
    halves,
    version_id,
    version_ids,
)

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

Document = dict[str, Any]
Origin = Literal["synthetic", "real"]

COUNTS = (
    "rows_new",
    "rows_changed",
    "rows_unchanged",
    "rows_restored",
    "rows_quarantined",
)
"""What the rows received add up to."""

VERSION_INDEX = [
    ("record_key", ASCENDING),
    ("run_sequence", DESCENDING),
    ("content_hash", ASCENDING),
]
"""For whoever looks a record up, or compares all versions in the order of keys: none of that
touches a document."""

WRITERS = 2
"""Connections a page is written through at once."""
LEAST_TO_SHARE = 500
"""Versions a connection is worth taking for."""
PAGE_ROWS = 5_000
"""Versions written at a time."""
ID_ROWS = 20_000
"""Ids in a reply: a megabyte."""
MAX_LOST = 5
"""Runs named in the error about lost versions."""
SCAN_ROWS = 2_000
"""Versions in a reply: two megabytes. 20 000 take twice as long, in memory that is not warm."""
WRITTEN_COUNTS = ("rows_new", "rows_changed", "rows_restored", "rows_withdrawn")
"""What the versions a load wrote add up to."""
VERSION_FIELDS = (
    "record_key",
    "run_sequence",
    "content_hash",
    "payload",
    "is_withdrawn",
    "extracted_at",
)
"""What the warehouse gets of a version."""
# A quarantined line above this goes to GridFS: with its frame it must stay under 16 MiB.
MAX_INLINE_BYTES = 15 * 1024 * 1024

# A document of nothing but a version's ``_id``: before it stand size, type, name, size and kind.
_ID_DOCUMENT = np.dtype([("head", "V14"), ("id", ID), ("end", "V1")])

# What pymongo raises for a document that cannot be sent, ...
_REFUSALS = (BSONError, OverflowError, RecursionError, UnicodeError)
# ... and the server's codes for one it will not store: bad value, too deep, invalid BSON, a name
# with a dollar sign, a dot or nothing in it, failed validation, too large.
_DOCUMENT_CODES = frozenset({2, 15, 22, 52, 55, 56, 57, 121, 10334, 17419, 17420})


# -- what a run and a load are ---------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One entry of the ledger."""

    sequence: int
    """Orders all runs of this store and of the warehouse it feeds."""
    run_id: str
    started_at: datetime


@dataclass
class Load:
    """One dataset's part of a run, from `begin_load` to `commit_load`."""

    run: Run
    dataset: Dataset
    extracted_at: datetime
    """When the pull began; every version written carries it. Set it before the first page."""
    finished: Mapping[int, int] = field(repr=False)
    """The run sequences whose versions of this dataset count, and how many each wrote."""
    current: CurrentVersions | None = field(default=None, repr=False)
    """Read with the first page, once the pull is complete."""
    written: KeyDigests = field(default_factory=KeyDigests, repr=False)
    """The keys this load wrote a version of."""
    places: int = 0
    """How many versions were given a place in it."""


class Page(NamedTuple):
    """Records of a pull, column by column; no key comes twice in a load."""

    record_keys: Sequence[str]
    digests: bytes
    """Of the keys, 16 bytes each, one after the other."""
    content_hashes: bytes
    """SHA-256, 32 bytes each, one after the other."""
    payloads: Sequence[bytes]
    """JSON text in UTF-8, as received."""

    @classmethod
    def of(cls, records: Iterable[tuple[str, str, bytes]]) -> Page:
        """A page of (record key, content hash in hex, JSON text)."""
        keys, hashes, payloads = zip(*records, strict=True)
        return cls(keys, b"".join(map(digest, keys)), bytes.fromhex("".join(hashes)), payloads)


class StoredVersion(NamedTuple):
    """A version as raw holds it, to be written back."""

    record_key: str
    run_sequence: int
    content_hash: str | None
    payload: str | None
    """Null, as the hash, in a tombstone."""
    extracted_at: datetime


@dataclass
class PageCounts:
    """What became of the records of one page."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    restored: int = 0
    quarantined: int = 0
    """Refused by MongoDB itself although they passed every check before."""

    def as_ledger(self) -> dict[str, int]:
        """The counts under their names in a load entry."""
        return {f"rows_{name}": count for name, count in asdict(self).items()}


# -- the store -------------------------------------------------------------------------------------


class DocumentStore:
    """The collections of one MongoDB database; the only module that knows their shapes.

    Every method raises `StoreError` where MongoDB is out of reach or refuses. What writes is
    called under `lock`.
    """

    def __init__(self, database: Database[Document]) -> None:
        self.database = database
        self._lock: StoreLock | None = None

    # -- set-up --

    def prepare(self, datasets: Iterable[Dataset]) -> None:
        """Make the store's identity and indexes; changes nothing where they exist.

        A collection that is not there yet gets its index at the end of its first load.

        Raises:
            StoreError: the store was written by a later version of this program.
        """
        with mongodb_errors("prepare the document store"):
            tables = set(self.database.list_collection_names())
            for dataset in datasets:
                if dataset.table in tables:
                    self._make_index(dataset)
            self._runs.create_index([("status", ASCENDING)])
            self._quarantine.create_index([("table", ASCENDING), ("run_sequence", ASCENDING)])
            identity = {
                "store_id": str(uuid.uuid4()),
                "created_at": datetime.now(UTC),
                "origin": None,
                "id_layout": ID_LAYOUT,
            }
            self.database["store"].update_one(
                {"_id": "store"}, {"$setOnInsert": identity}, upsert=True
            )
        if (layout := self.identity().get("id_layout", 0)) > ID_LAYOUT:
            raise StoreError(
                f"This store was written by a later version of this program (layout {layout} of "
                f"its versions, known here: {ID_LAYOUT}). Nothing was read or written; run that "
                "version or a later one."
            )

    def identity(self) -> Document:
        """``store_id`` (UUID text), ``created_at``, ``origin`` (null until the first claim)."""
        with mongodb_errors("read the store's identity"):
            return self.database["store"].find_one({"_id": "store"}, {"_id": 0}) or {}

    def origin(self) -> Origin | None:
        """``synthetic`` or ``real``; None while nothing was loaded."""
        origin: Origin | None = self.identity().get("origin")
        return origin

    def claim_origin(self, *, is_synthetic: bool) -> None:
        """Say what kind of records this store holds, once and for all.

        Raises:
            MixedOriginError: it holds the other kind.
        """
        wanted: Origin = "synthetic" if is_synthetic else "real"
        if self.origin() == wanted:
            return
        with mongodb_errors("note the origin of the records"):
            claimed = self.database["store"].update_one(
                {"_id": "store", "origin": None}, {"$set": {"origin": wanted}}
            )
        if not claimed.matched_count and (found := self.origin()) != wanted:
            raise MixedOriginError(
                f"This store holds {found} records and the portal offers {wanted} ones: they must "
                "not meet. Set COLLEGES_HOME (or MONGODB_URI) to another place, or empty this one "
                "with `make clean`."
            )

    @contextmanager
    def lock(self, purpose: str) -> Iterator[StoreLock]:
        """Hold the store alone, and tidy up after runs that ended without a word.

        Args:
            purpose: the command, told to whoever finds the store locked.

        Raises:
            LockedError: somebody else holds it, and lives.
        """
        with StoreLock(
            self.database["locks"], purpose, lease_s=LEASE_S, heartbeat_s=HEARTBEAT_S
        ) as held:
            self._lock = held
            try:
                self.recover()
                self._adopt_old_ids()
                yield held
            finally:
                self._lock = None

    def check_lock(self) -> None:
        """Make sure that this process still holds the store, before something is written.

        Raises:
            LockedError: the lock was lost meanwhile.
        """
        if self._lock is not None:
            self._lock.check()

    def confirm_lock(self) -> None:
        """As `check_lock`, asking MongoDB: in a process that slept, the heartbeat sleeps on."""
        if self._lock is not None:
            self._lock.confirm()

    def recover(self) -> None:
        """Take every run that is still ``running`` for dead, and remove what its loads left.

        Under the lock nobody else can be running. Part of `lock` and of `begin_run`.
        """
        with mongodb_errors("remove what an interrupted run left"):
            for run in list(self._runs.find({"status": "running"})):
                loads: dict[str, Document] = run.get("loads", {})
                for dataset_id, entry in loads.items():
                    if entry["status"] == "running":
                        self._remove(entry["table"], run["_id"])
                        self._runs.update_one(
                            {"_id": run["_id"]},
                            {
                                "$set": {
                                    f"loads.{dataset_id}.status": "failed",
                                    f"loads.{dataset_id}.error": "interrupted",
                                }
                            },
                        )
                self._runs.update_one(
                    {"_id": run["_id"]}, {"$set": {"status": "failed", "error": "interrupted"}}
                )
                log.warning(
                    "run %d (%s, started %s) was interrupted; its unfinished loads were removed",
                    run["_id"], run["run_id"], run["started_at"],
                )  # fmt: skip

    # -- runs and loads --

    def begin_run(self, *, code_version: str, purpose: str = "run") -> Run:
        """Open a ledger entry with the next run sequence.

        Args:
            code_version: of this program.
            purpose: the command.
        """
        self.check_lock()
        self.recover()
        started_at = _now()
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        with mongodb_errors("begin a run"):
            latest = self._runs.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
            at_least = latest["_id"] if latest else 0
            counter = self.database["counters"].find_one_and_update(
                {"_id": "run_sequence"},
                [{"$set": {"value": {"$add": [{"$max": ["$value", Int64(at_least)]}, 1]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            assert counter is not None  # upserted
            run = Run(sequence=int(counter["value"]), run_id=run_id, started_at=started_at)
            self._runs.insert_one(
                {
                    "_id": Int64(run.sequence),
                    "run_id": run_id,
                    "status": "running",
                    "purpose": purpose,
                    "started_at": started_at,
                    "finished_at": None,
                    "host": platform.node(),
                    "pid": os.getpid(),
                    "code_version": code_version,
                    "loads": {},
                }
            )
        return run

    def finish_run(self, run: Run, status: Literal["finished", "failed"]) -> None:
        """Close the ledger entry."""
        with mongodb_errors("finish the run"):
            closed = self._runs.update_one(
                {"_id": run.sequence, "status": "running"},
                {"$set": {"status": status, "finished_at": _now()}},
            )
        if not closed.matched_count:
            raise self._taken_over(run)

    def begin_load(
        self, run: Run, dataset: Dataset, *, extracted_at: datetime | None = None
    ) -> Load:
        """Open one dataset's entry of a run, clean of what an earlier try in this run left.

        Args:
            run: as `begin_run` returned it.
            dataset: the registry's entry.
            extracted_at: when the pull began (UTC); default now. ``Load.extracted_at`` may still
                be set until the first page is written.
        """
        self.check_lock()
        with mongodb_errors(f"begin the load of {dataset.dataset_id}"):
            self._unfinished_entry(run, dataset)
            self._remove(dataset.table, run.sequence)
            started_at = _now()
            entry = {"status": "running", "table": dataset.table, "started_at": started_at}
            load = Load(
                run=run,
                dataset=dataset,
                extracted_at=extracted_at or started_at,
                finished={
                    sequence: sum(entry[name] for name in WRITTEN_COUNTS)
                    for sequence, _, entry in self.ended_loads(dataset)
                    if entry["status"] == "finished"
                },
            )
            self._set_entry(run, dataset, entry)
        return load

    def write_page(self, load: Load, page: Page) -> PageCounts:
        """Write those records of a page that are new, changed or back.

        A record that MongoDB refuses goes to the quarantine, and its neighbours are written.

        Args:
            load: as `begin_load` returned it.
            page: some 5 000 records make the best use of a round trip.

        Raises:
            StoreError: versions of finished loads are missing, or MongoDB is out of reach.
        """
        self.check_lock()
        with mongodb_errors(f"write records of {load.dataset.dataset_id}"):
            keys = halves(page.digests)
            contents = first_halves(page.content_hashes)
            kinds = self._current(load).compare(keys, contents)
            fresh = np.flatnonzero(kinds != CurrentVersions.UNCHANGED)
            ids = version_ids(load.run.sequence, load.places, keys[fresh], contents[fresh])
            load.places += len(ids)
            refused = self._insert(load, page, fresh.tolist(), ids)
            load.written.add_digests(keys[fresh].astype(">u8").tobytes())
        counts = np.bincount(kinds, minlength=4) - np.bincount(kinds[refused], minlength=4)
        new, changed, unchanged, restored = counts.tolist()
        return PageCounts(new, changed, unchanged, restored, quarantined=len(refused))

    def are_unchanged(self, load: Load, digests: bytes, content_hashes: bytes) -> NDArray[np.bool_]:
        """Which records are stored as they came; to be left out of `write_page`, or not.

        Args:
            load: as `begin_load` returned it.
            digests: of their keys, as in `Page`.
            content_hashes: as in `Page`.

        Raises:
            StoreError: versions of finished loads are missing, or MongoDB is out of reach.
        """
        with mongodb_errors(f"read records of {load.dataset.dataset_id}"):
            kinds = self._current(load).compare(halves(digests), first_halves(content_hashes))
        is_unchanged: NDArray[np.bool_] = kinds == CurrentVersions.UNCHANGED
        return is_unchanged

    def are_present(self, load: Load, digests: bytes) -> NDArray[np.bool_]:
        """Which keys, by their digests one after the other, name a record that is present."""
        with mongodb_errors(f"read records of {load.dataset.dataset_id}"):
            return self._current(load).holds(halves(digests))

    def missing_count(self, load: Load, seen: KeyDigests) -> int:
        """How many records `withdraw_missing` would withdraw."""
        with mongodb_errors(f"read records of {load.dataset.dataset_id}"):
            return len(self._current(load).missing(seen))

    def withdraw_missing(self, load: Load, seen: KeyDigests) -> int:
        """Write a tombstone for every present record whose key is not in ``seen``.

        Call it after the last page of a complete pull only.

        Returns:
            How many records were withdrawn.
        """
        with mongodb_errors(f"withdraw records of {load.dataset.dataset_id}"):
            missing = self._current(load).missing(seen)
            for start in range(0, len(missing), PAGE_ROWS):
                self.check_lock()
                self._insert_tombstones(load, missing[start : start + PAGE_ROWS])
        return len(missing)

    def quarantine(
        self,
        load: Load,
        raw: bytes,
        *,
        reason: str,
        detail: str = "",
        record_key: str | None = None,
        line_number: int | None = None,
    ) -> None:
        """Keep a record out, with its bytes as received; the same line again replaces itself.

        Args:
            load: as `begin_load` returned it.
            raw: the line, whole, of any size.
            reason: short name of what is wrong, e.g. ``duplicate_key``.
            detail: for a person.
            record_key: its key, where it could still be read.
            line_number: its place in the pull, from 1.
        """
        place = line_number if line_number is not None else hashlib.sha256(raw).hexdigest()
        quarantine_id = f"{load.dataset.table}/{load.run.sequence}/{place}"
        is_inline = len(raw) <= MAX_INLINE_BYTES
        document = {
            "_id": quarantine_id,
            "dataset": load.dataset.dataset_id,
            "table": load.dataset.table,
            "run_sequence": Int64(load.run.sequence),
            "line_number": line_number,
            "record_key": record_key,
            "reason": str(reason),
            "detail": detail,
            "size": len(raw),
            "raw": raw if is_inline else None,
            "extracted_at": load.extracted_at,
        }
        with mongodb_errors(f"quarantine a record of {load.dataset.dataset_id}"):
            # First what names the file: killed between the two, nothing would find a file alone.
            self._quarantine.replace_one({"_id": quarantine_id}, document, upsert=True)
            if not is_inline:
                self._delete_file(quarantine_id)
                self._files.upload_from_stream_with_id(quarantine_id, quarantine_id, raw)

    def commit_load(self, load: Load, **entry: Any) -> None:
        """Finish a load by one acknowledged, journalled update: from here on its versions count.

        Args:
            load: as `begin_load` returned it.
            entry: the rest of the load entry (docs/architecture.md): ``rows_expected``,
                ``rows_received`` and all counts, ``is_withdrawal_refused``, ``drift``,
                ``portal``, ``profile``, ``profile_changes``.

        Raises:
            StoreError: the counts do not add up, or the run was taken over meanwhile. Nothing is
                committed then.
        """
        self.check_lock()
        dataset_id = load.dataset.dataset_id
        counted = sum(entry[name] for name in COUNTS)
        if entry["rows_received"] != counted:
            raise StoreError(
                f"{dataset_id}: {entry['rows_received']} rows were received and {counted} are "
                "accounted for ("
                + ", ".join(f"{entry[name]} {name.removeprefix('rows_')}" for name in COUNTS)
                + "). Nothing was committed; this is a fault of the program, please report it."
            )
        if load.written.duplicates():
            raise StoreError(
                f"{dataset_id}: a record came twice in one pull. Nothing was committed; this is a "
                "fault of the program, please report it."
            )
        finished = {
            **entry,
            "status": "finished",
            "extracted_at": load.extracted_at,
            "finished_at": _now(),
        }
        path = f"loads.{dataset_id}"
        with mongodb_errors(f"commit the load of {dataset_id}"):
            # Over what is there: keeping it up to date would make a first load half as long again.
            self._make_index(load.dataset)
            moved = entry["rows_new"] + entry["rows_restored"] - entry["rows_withdrawn"]
            finished["rows_present"] = self._current(load).present + moved
            committed = self._runs.update_one(
                {"_id": load.run.sequence, "status": "running", f"{path}.status": "running"},
                {"$set": {f"{path}.{name}": value for name, value in finished.items()}},
            )
        if not committed.matched_count:
            raise self._taken_over(load.run)

    def skip_load(
        self,
        run: Run,
        dataset: Dataset,
        *,
        status: Literal["unchanged", "not_recorded"],
        **entry: Any,
    ) -> None:
        """Note that a dataset was looked at and not pulled.

        Args:
            run: as `begin_run` returned it.
            dataset: the registry's entry.
            status: why not.
            entry: more fields of the load entry, e.g. ``portal``.
        """
        self.check_lock()
        with mongodb_errors(f"note {dataset.dataset_id} as {status}"):
            self._unfinished_entry(run, dataset)
            last = self.last_finished_load(dataset)
            now = _now()
            self._set_entry(
                run,
                dataset,
                {
                    **entry,
                    "status": status,
                    "table": dataset.table,
                    "started_at": now,
                    "finished_at": now,
                    "rows_present": last["rows_present"] if last else 0,
                },
            )

    def fail_load(self, run: Run, dataset: Dataset, error: str) -> None:
        """Note that a dataset's load failed, and take back what it wrote."""
        with mongodb_errors(f"take back the failed load of {dataset.dataset_id}"):
            entry = self._unfinished_entry(run, dataset)
            self._remove(dataset.table, run.sequence)
            now = _now()
            self._set_entry(
                run,
                dataset,
                {
                    "table": dataset.table,
                    "started_at": now,
                    **entry,
                    "status": "failed",
                    "finished_at": now,
                    "error": error,
                },
            )

    # -- restoring --

    def is_blank(self) -> bool:
        """Whether no run was ever begun here, or a restore was cut off."""
        with mongodb_errors("look for runs"):
            return (
                self._runs.find_one({}, {"_id": 1}) is None
                or self.database["store"].find_one({"_id": "store", "is_restoring": True})
                is not None
            )

    def begin_restore(self, datasets: Iterable[Dataset]) -> None:
        """Clear the way for versions and runs from elsewhere; blank until `finish_restore`.

        Raises:
            StoreError: there are versions, and no run that wrote them.
        """
        self.check_lock()
        datasets = list(datasets)
        with mongodb_errors("begin to restore"):
            left = [d.table for d in datasets if self._versions(d).find_one({}, {"_id": 1})]
            if left and not self.identity().get("is_restoring"):
                raise StoreError(
                    f"MongoDB holds versions ({', '.join(left)}) and its ledger of runs, the "
                    "collection `runs`, is gone: nobody can tell which of them count. Nothing was "
                    "changed. Put `runs` back from a backup of MongoDB; or, to rebuild MongoDB "
                    "from what the warehouse holds, use another one (COLLEGES_HOME, MONGODB_URI)."
                )
            self.database["store"].update_one({"_id": "store"}, {"$set": {"is_restoring": True}})
            self._runs.delete_many({})
            for dataset in datasets:
                self._versions(dataset).delete_many({})

    def restore_versions(self, dataset: Dataset, versions: Iterable[StoredVersion]) -> int:
        """Write versions back as they were; how many."""
        count = 0
        pages = iter(versions)
        while page := list(islice(pages, PAGE_ROWS)):
            self.check_lock()
            with mongodb_errors(f"restore versions of {dataset.dataset_id}"):
                self._versions(dataset).insert_many(
                    [_restored(version, count + place) for place, version in enumerate(page)],
                    ordered=False,
                )
            count += len(page)
        with mongodb_errors(f"restore versions of {dataset.dataset_id}"):
            self._make_index(dataset)
        return count

    def finish_restore(self, ledger: Iterable[Document]) -> None:
        """Write the ledger back: from here on the versions count.

        Args:
            ledger: rows as `ledger_rows` yields them.
        """
        self.check_lock()
        runs: dict[int, Document] = {}
        for row in ledger:
            run = runs.setdefault(row["run_sequence"], _restored_run(row))
            run["loads"][row["dataset"]] = _restored_load(row)
        for run in runs.values():
            entries = run["loads"].values()
            if all(entry["status"] == "failed" for entry in entries):
                run["status"] = "failed"
            run["started_at"] = min(entry["started_at"] for entry in entries)
            run["finished_at"] = max(
                (entry["finished_at"] for entry in entries if entry["finished_at"]), default=None
            )
        synthetic = {
            entry["portal"]["is_synthetic"]
            for run in runs.values()
            for entry in run["loads"].values()
            if entry["status"] == "finished"
        }
        with mongodb_errors("restore the ledger"):
            self._runs.insert_many(list(runs.values()))
            identity: Document = {"$unset": {"is_restoring": ""}}
            if synthetic:
                identity["$set"] = {"origin": "synthetic" if True in synthetic else "real"}
            self.database["store"].update_one({"_id": "store"}, identity)

    def correct_rows_present(self, dataset: Dataset, rows_present: int) -> None:
        """Have the ledger say how many records are present since the latest finished load."""
        self.check_lock()
        path = f"loads.{dataset.dataset_id}"
        if last := self.last_finished_load(dataset):
            with mongodb_errors(f"correct the ledger of {dataset.dataset_id}"):
                self._runs.update_many(
                    {"_id": {"$gte": last["run_sequence"]}, f"{path}.rows_present": {"$exists": 1}},
                    {"$set": {f"{path}.rows_present": rows_present}},
                )

    # -- reading --

    def last_finished_load(self, dataset: Dataset) -> Document | None:
        """The latest finished load's entry, with its ``run_sequence`` and ``run_id``."""
        path = f"loads.{dataset.dataset_id}"
        with mongodb_errors(f"read the ledger of {dataset.dataset_id}"):
            run = self._runs.find_one(
                {f"{path}.status": "finished"},
                {"run_id": 1, path: 1},
                sort=[("_id", DESCENDING)],
            )
        if run is None:
            return None
        entry: Document = run["loads"][dataset.dataset_id]
        return {**entry, "run_sequence": int(run["_id"]), "run_id": run["run_id"]}

    def last_full_pull_at(self, dataset: Dataset) -> datetime | None:
        """When the latest finished pull began (UTC)."""
        last = self.last_finished_load(dataset)
        return last["extracted_at"] if last else None

    def finished_loads(self, dataset: Dataset, *, after: int = 0) -> list[int]:
        """The run sequences of a dataset's finished loads beyond ``after``, ascending."""
        with mongodb_errors(f"read the ledger of {dataset.dataset_id}"):
            runs = self._runs.find(
                {"_id": {"$gt": after}, f"loads.{dataset.dataset_id}.status": "finished"},
                {"_id": 1},
                sort=[("_id", ASCENDING)],
            )
            return [int(run["_id"]) for run in runs]

    def present_count(self, dataset: Dataset) -> int:
        """How many records are present: counted over the versions, not read from the ledger."""
        with mongodb_errors(f"read the records of {dataset.dataset_id}"):
            finished = frozenset(self.finished_loads(dataset))
            return CurrentVersions(self._read_ids(dataset), finished).present

    def version_batches(
        self, dataset: Dataset, *, after: int = 0, batch_rows: int = PAGE_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """The versions of finished loads, for the warehouse.

        Args:
            dataset: the registry's entry.
            after: leave out versions up to this run sequence.
            batch_rows: most rows of a batch, and so the memory needed.

        Yields:
            ``record_key`` string, ``run_sequence`` int64, ``content_hash`` string, ``payload``
            string, ``is_withdrawn`` bool, ``extracted_at`` timestamp[ms, UTC]; ascending by
            ``run_sequence``. ``content_hash`` and ``payload`` are null in a tombstone.
        """
        wanted = self.finished_loads(dataset, after=after)
        if not wanted:
            return
        ids = {"$gte": version_id(wanted[0]), "$lt": version_id(wanted[-1] + 1)}
        with mongodb_errors(f"read the versions of {dataset.dataset_id}"):
            for table in self._tables(
                dataset,
                {"_id": ids, "run_sequence": {"$in": wanted}},
                VERSION_FIELDS,
                sort=[("_id", ASCENDING)],
                batch_size=batch_rows,
            ):
                yield from table.to_batches()

    def scan(
        self,
        dataset: Dataset,
        columns: Sequence[str],
        *,
        index: Sequence[tuple[str, int]],
        runs: Sequence[int] | None = None,
    ) -> Iterator[pa.Table]:
        """Versions in any order, those of unfinished loads too: the fastest way to most of them.

        Args:
            dataset: the registry's entry.
            columns: of `VERSION_FIELDS`.
            index: read along this one; ``[("$natural", 1)]`` for none.
            runs: only versions of these; default all.
        """
        with mongodb_errors(f"read the versions of {dataset.dataset_id}"):
            yield from self._tables(
                dataset,
                {} if runs is None else {"run_sequence": {"$in": list(runs)}},
                columns,
                hint=index,
                batch_size=SCAN_ROWS,
                cursor_type=self._streaming,
            )

    def count_versions(self, dataset: Dataset) -> int:
        """About how many versions there are, of unfinished loads too."""
        with mongodb_errors(f"count the versions of {dataset.dataset_id}"):
            return self._versions(dataset).estimated_document_count()

    def ended_loads(self, dataset: Dataset) -> Iterator[tuple[int, str, Document]]:
        """(run sequence, run id, entry) of every load that ended, ascending.

        Of the entry, its status and the counts of what it wrote.
        """
        path = f"loads.{dataset.dataset_id}"
        fields = ("status", *WRITTEN_COUNTS)
        with mongodb_errors(f"read the ledger of {dataset.dataset_id}"):
            for run in self._runs.find(
                {f"{path}.status": {"$exists": True, "$ne": "running"}},
                {"run_id": 1, **{f"{path}.{name}": 1 for name in fields}},
                sort=[("_id", ASCENDING)],
            ):
                yield int(run["_id"]), run["run_id"], run["loads"][dataset.dataset_id]

    # -- the note about a warehouse --

    def note(self, warehouse: str) -> Document:
        """What was noted about a warehouse; empty where nothing was."""
        with mongodb_errors("read the note about the warehouse"):
            return self.database["warehouses"].find_one({"_id": warehouse}) or {}

    def add_to_note(self, warehouse: str, values: Document) -> None:
        """Note something about a warehouse, by path."""
        with mongodb_errors("write the note about the warehouse"):
            self.database["warehouses"].update_one(
                {"_id": warehouse}, {"$set": values}, upsert=True
            )

    def forget_note(self, warehouse: str) -> None:
        """Take back all that was noted about a warehouse."""
        with mongodb_errors("take back the note about the warehouse"):
            self.database["warehouses"].delete_one({"_id": warehouse})

    def ledger_rows(self, *, after: int = 0) -> Iterator[Document]:
        """One row per dataset and run beyond ``after`` that ended, for ``raw._source_load``.

        Yields:
            Its columns as docs/architecture.md lists them; timestamps are aware, in UTC; ``drift``
            is JSON text; what an entry does not say is None.
        """
        with mongodb_errors("read the ledger"):
            runs = self._runs.find({"_id": {"$gt": after}}, sort=[("_id", ASCENDING)])
            for run in runs:
                for dataset_id, entry in run.get("loads", {}).items():
                    if entry["status"] != "running":
                        yield _ledger_row(run, dataset_id, entry)

    def quarantined(
        self, dataset: Dataset, *, run_sequence: int | None = None
    ) -> Iterator[Document]:
        """The records kept out of one run (default: all), each with its ``raw`` bytes."""
        query: Document = {"table": dataset.table}
        if run_sequence is not None:
            query["run_sequence"] = run_sequence
        with mongodb_errors(f"read the quarantine of {dataset.dataset_id}"):
            for document in self._quarantine.find(
                query, sort=[("run_sequence", ASCENDING), ("line_number", ASCENDING)]
            ):
                if document["raw"] is None:
                    with self._files.open_download_stream(document["_id"]) as file:
                        document["raw"] = file.read()
                yield document

    def status(self, datasets: Iterable[Dataset] | None = None) -> Document:
        """What the store holds, from when, and what changed last.

        Returns:
            ``store``; ``lock`` (who holds it, or None); ``last_run``; ``datasets``, for each its
            ``rows_present``, ``versions``, ``last_load`` (any status), ``last_pull`` and
            ``last_change`` (finished loads), and ``quarantined`` (reason → count, last pull).
        """
        with mongodb_errors("read the status"):
            runs = self._runs.find_one({}, {"loads": 0}, sort=[("_id", DESCENDING)])
            holder = self.database["locks"].find_one({}, {"_id": 0, "token": 0, "machine": 0})
            return {
                "store": self.identity(),
                "lock": holder,
                "last_run": runs,
                "datasets": [
                    self._dataset_status(dataset)
                    for dataset in (registry().values() if datasets is None else datasets)
                ],
            }

    # -- inside --

    @property
    def _runs(self) -> Collection[Document]:
        return self.database["runs"]

    @property
    def _quarantine(self) -> Collection[Document]:
        return self.database["quarantine"]

    @property
    def _files(self) -> GridFSBucket:
        return GridFSBucket(self.database, bucket_name="quarantine")

    def _versions(self, dataset: Dataset) -> Collection[Document]:
        return self.database[dataset.table]

    def _tables(
        self, dataset: Dataset, query: Document, columns: Sequence[str], **options: Any
    ) -> Iterator[pa.Table]:
        """Columns of the versions a query finds, a table for each reply of the server."""
        import_pymongoarrow()
        import pyarrow as pa
        from pymongoarrow.context import PyMongoArrowContext
        from pymongoarrow.schema import Schema

        types = {
            "run_sequence": pa.int64(),
            "is_withdrawn": pa.bool_(),
            "extracted_at": pa.timestamp("ms", tz="UTC"),
        }
        schema = Schema({name: types.get(name, pa.string()) for name in columns})
        # All of a version as it is stored costs the server less than all but its id.
        is_whole = set(columns) == set(VERSION_FIELDS)
        fields = None if is_whole else {"_id": 0, **dict.fromkeys(columns, 1)}
        versions = self._versions(dataset)
        for reply in RawReplies(versions, query, fields, **options):
            context = PyMongoArrowContext(schema, codec_options=versions.codec_options)
            context.process_bson_stream(reply)
            yield context.finish()

    def _unfinished_entry(self, run: Run, dataset: Dataset) -> Document:
        """The entry of a dataset in this run so far, empty where there is none."""
        found = self._runs.find_one({"_id": run.sequence}, {f"loads.{dataset.dataset_id}": 1})
        entry: Document = ((found or {}).get("loads") or {}).get(dataset.dataset_id, {})
        if entry.get("status") == "finished":
            raise StoreError(
                f"{dataset.dataset_id} is already loaded and committed in run {run.sequence}. "
                "Nothing was changed; begin another run."
            )
        return entry

    def _set_entry(self, run: Run, dataset: Dataset, entry: Document) -> None:
        changed = self._runs.update_one(
            {"_id": run.sequence, "status": "running"},
            {"$set": {f"loads.{dataset.dataset_id}": entry}},
        )
        if not changed.matched_count:
            raise self._taken_over(run)

    def _taken_over(self, run: Run) -> StoreError:
        return StoreError(
            f"Run {run.sequence} ({run.run_id}) is no longer running in the ledger: another run "
            "took this one for dead and removed its unfinished loads. Nothing of it counts; run "
            "again."
        )

    def _remove(self, table: str, sequence: int) -> None:
        """Remove what one run wrote for one dataset."""
        self.database[table].delete_many(
            {"_id": {"$gte": version_id(sequence), "$lt": version_id(sequence + 1)}}
        )
        query = {"table": table, "run_sequence": sequence}
        for document in self._quarantine.find({**query, "raw": None}, {"_id": 1}):
            self._delete_file(document["_id"])
        self._quarantine.delete_many(query)

    def _delete_file(self, file_id: str) -> None:
        # An upload that was killed leaves chunks without a file: `delete` removes both, then
        # complains about the file.
        with suppress(NoFile):
            self._files.delete(file_id)

    def _current(self, load: Load) -> CurrentVersions:
        if load.current is None:
            replies = (
                self._read_ids(load.dataset, before=load.run.sequence) if load.finished else ()
            )
            current = CurrentVersions(replies, load.finished.keys())
            self._check_complete(load, current.counts)
            load.current = current
        return load.current

    def _read_ids(self, dataset: Dataset, *, before: int | None = None) -> Iterator[bytes]:
        """The ids of versions, ascending, some at a time: of all runs, or of those before one."""
        ids = {"$gte": version_id(0)} | ({} if before is None else {"$lt": version_id(before)})
        for reply in RawReplies(
            self._versions(dataset),
            {"_id": ids},
            {"_id": 1},
            hint=[("_id", ASCENDING)],
            batch_size=ID_ROWS,
            cursor_type=self._streaming,
        ):
            yield np.frombuffer(reply, dtype=_ID_DOCUMENT)["id"].tobytes()

    def _check_complete(self, load: Load, counts: Mapping[int, int]) -> None:
        """Compare the versions there are with what the ledger says was written."""
        lost = [
            f"run {run} wrote {wrote} and {counts.get(run, 0)} are there"
            for run, wrote in load.finished.items()
            if wrote != counts.get(run, 0)
        ]
        if lost:
            raise StoreError(
                f"{load.dataset.dataset_id}: MongoDB does not hold the versions its own ledger "
                f"speaks of ({'; '.join(lost[:MAX_LOST])}): some were removed or added, or an "
                "older copy was put back. Nothing was written, for records would be called new "
                "that are not. `colleges replay --apply` puts back what the warehouse still has; "
                "if it has them neither, put MongoDB back from a backup; docs/runbook.md says what "
                "to do where there is none."
            )
        for run in counts.keys() - load.finished.keys():
            if self._runs.find_one({"_id": run}, {"_id": 1}) is None:
                raise StoreError(
                    f"{load.dataset.dataset_id}: MongoDB holds {counts[run]} versions of run "
                    f"{run}, which its ledger, the collection `runs`, does not know. Nothing was "
                    "written. Put MongoDB back from a backup, all of it at one moment; "
                    "docs/runbook.md says what to do where there is none."
                )
            # It was taken for dead and wrote on until it noticed.
            self._remove(load.dataset.table, run)
            log.warning(
                "%s: removed %d versions that run %d wrote after it was taken for dead",
                load.dataset.dataset_id, counts[run], run,
            )  # fmt: skip

    def _make_index(self, dataset: Dataset) -> None:
        self._versions(dataset).create_index(VERSION_INDEX, name="versions")

    @property
    def _streaming(self) -> int:
        """The server reads on while a reply is worked on. Routers cannot."""
        return CursorType.NON_TAILABLE if self.database.client.is_mongos else CursorType.EXHAUST

    def _adopt_old_ids(self) -> None:
        """Give versions that older code wrote the ids of `ID_LAYOUT`. Killed, it begins again.

        Looked for each time: older code may have been run on this store in between.
        """
        with mongodb_errors("bring the ids of versions up to date"):
            for table in self.database.list_collection_names(filter={"name": {"$regex": "__"}}):
                versions = self.database[table]
                # Shorter than any of today's: MongoDB sorts by length first.
                query = {"_id": {"$lt": bytes(ID.itemsize)}}
                count = 0
                while old := list(versions.find(query, limit=SCAN_ROWS)):
                    self.check_lock()
                    try:
                        versions.insert_many(map(_with_new_id, old), ordered=False)
                    except BulkWriteError as error:
                        # Here already, where an earlier try was killed before the next line.
                        if any(e["code"] != 11000 for e in error.details["writeErrors"]):
                            raise
                    versions.delete_many({"_id": {"$in": [version["_id"] for version in old]}})
                    count += len(old)
                if count:
                    log.warning("%s: gave %d versions of older code new ids", table, count)
            self.database["store"].update_one({"_id": "store"}, {"$set": {"id_layout": ID_LAYOUT}})

    def _insert(self, load: Load, page: Page, rows: list[int], ids: list[bytes]) -> list[int]:
        """Write those rows of a page; the ones MongoDB refused, which are in the quarantine now."""
        fresh = list(zip(rows, ids, strict=True))
        if len(fresh) < WRITERS * LEAST_TO_SHARE:
            return self._insert_part(load, page, fresh)
        size = -(-len(fresh) // WRITERS)
        shares = (fresh[start : start + size] for start in range(0, len(fresh), size))
        # The server works on each connection by itself, and it is what a load waits for.
        with ThreadPoolExecutor(WRITERS) as writers:
            parts = writers.map(lambda share: self._insert_part(load, page, share), shares)
            return [row for refused in parts for row in refused]

    def _insert_part(self, load: Load, page: Page, fresh: list[tuple[int, bytes]]) -> list[int]:
        if not fresh:
            return []
        try:
            self._versions(load.dataset).insert_many(_documents(load, page, fresh), ordered=False)
        except (*_REFUSALS, OperationFailure) as error:
            if isinstance(error, BulkWriteError) and error.details["writeConcernErrors"]:
                raise
            # One bad document takes others of its message down with it, so each is tried alone. An
            # error that is not a document's fault (a full disk) comes again and ends the load.
            return [version[0] for version in fresh if not self._insert_alone(load, page, version)]
        return []

    def _insert_alone(self, load: Load, page: Page, version: tuple[int, bytes]) -> bool:
        """Write one version; False where MongoDB refused it and it went to the quarantine."""
        try:
            self._versions(load.dataset).insert_one(_documents(load, page, [version])[0])
        except DuplicateKeyError:
            return True  # it was among those that went through
        except (*_REFUSALS, OperationFailure) as error:
            if isinstance(error, OperationFailure) and error.code not in _DOCUMENT_CODES:
                raise
            self.quarantine(
                load,
                page.payloads[version[0]],
                reason="refused_by_mongodb",
                detail=f"{type(error).__name__}: {str(error)[:300]}",
                record_key=page.record_keys[version[0]],
            )
            return False
        return True

    def _insert_tombstones(self, load: Load, ids: list[bytes]) -> None:
        """Withdraw the records whose current versions have these ids."""
        versions = self._versions(load.dataset)
        found = versions.find({"_id": {"$in": ids}}, {"_id": 0, "record_key": 1})
        keys = [version["record_key"] for version in found]
        if len(keys) != len(ids):
            raise StoreError(
                f"{load.dataset.dataset_id}: versions were removed from MongoDB while the load "
                "read them. Nothing was committed; run again."
            )
        digests = b"".join(map(digest, keys))
        contents = np.zeros((len(keys), 2), dtype=np.uint64)
        new_ids = version_ids(load.run.sequence, load.places, halves(digests), contents)
        load.places += len(keys)
        versions.insert_many(
            [
                {
                    "_id": version_id,
                    "record_key": key,
                    "run_sequence": Int64(load.run.sequence),
                    "content_hash": None,
                    "payload": None,
                    "is_withdrawn": True,
                    "extracted_at": load.extracted_at,
                }
                for version_id, key in zip(new_ids, keys, strict=True)
            ],
            ordered=False,
        )
        load.written.add_digests(digests)

    def _dataset_status(self, dataset: Dataset) -> Document:
        path = f"loads.{dataset.dataset_id}"
        changed = [f"{path}.{name}" for name in WRITTEN_COUNTS]
        quarantined: dict[str, int] = {}
        last_pull = self._entry(dataset, {f"{path}.status": "finished"})
        if last_pull:
            query = {"table": dataset.table, "run_sequence": last_pull["run_sequence"]}
            counted = [{"$match": query}, {"$group": {"_id": "$reason", "rows": {"$sum": 1}}}]
            quarantined = {row["_id"]: row["rows"] for row in self._quarantine.aggregate(counted)}
        return {
            "dataset": dataset.dataset_id,
            "table": dataset.table,
            "rows_present": last_pull["rows_present"] if last_pull else 0,
            "versions": self._versions(dataset).estimated_document_count(),
            "last_load": self._entry(dataset, {path: {"$exists": True}}),
            "last_pull": last_pull,
            "last_change": self._entry(
                dataset,
                {f"{path}.status": "finished", "$or": [{name: {"$gt": 0}} for name in changed]},
            ),
            "last_profile_change": self._entry(
                dataset,
                {f"{path}.status": "finished", f"{path}.profile_changes.0": {"$exists": True}},
            ),
            "quarantined": quarantined,
        }

    def _entry(self, dataset: Dataset, query: Document) -> Document | None:
        """The latest matching run's entry of a dataset, without its profile."""
        path = f"loads.{dataset.dataset_id}"
        run = self._runs.find_one(query, {"run_id": 1, path: 1}, sort=[("_id", DESCENDING)])
        if run is None:
            return None
        entry = run["loads"][dataset.dataset_id]
        entry.pop("profile", None)
        return {**entry, "run_sequence": int(run["_id"]), "run_id": run["run_id"]}


def import_pymongoarrow() -> None:
    """Import pymongoarrow without pandas, which takes a second and is of no use for it here."""
    is_loaded = "pandas" in sys.modules
    if not is_loaded:
        sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            # Its wheel was built against an earlier patch release of pyarrow, whose classes grew.
            warnings.filterwarnings("ignore", message=".*size changed, may indicate binary")
            import pymongoarrow.context  # noqa: F401
    finally:
        if not is_loaded:
            del sys.modules["pandas"]


# -- documents -------------------------------------------------------------------------------------


def _now() -> datetime:
    """The time in UTC, in the milliseconds MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _documents(load: Load, page: Page, fresh: Iterable[tuple[int, bytes]]) -> list[Document]:
    """The versions that some rows of a page become, under their ids."""
    run_sequence = Int64(load.run.sequence)
    return [
        {
            "_id": version_id,
            "record_key": page.record_keys[row],
            "run_sequence": run_sequence,
            "content_hash": page.content_hashes[32 * row : 32 * row + 32].hex(),
            "payload": page.payloads[row].decode(),
            "is_withdrawn": False,
            "extracted_at": load.extracted_at,
        }
        for row, version_id in fresh
    ]


def _with_new_id(version: Document) -> Document:
    """A version that older code wrote, under the id it gets now; the same every time."""
    content = bytes.fromhex((version["content_hash"] or "")[:32]) or NO_HASH
    key = digest(version["record_key"])
    return {**version, "_id": version_id(version["run_sequence"], key, content)}


def _restored(version: StoredVersion, place: int) -> Document:
    is_withdrawn = version.payload is None
    content = bytes.fromhex((version.content_hash or "")[:32]) or NO_HASH
    return {
        "_id": version_id(version.run_sequence, digest(version.record_key), content, place),
        "record_key": version.record_key,
        "run_sequence": Int64(version.run_sequence),
        "content_hash": version.content_hash,
        "payload": version.payload,
        "is_withdrawn": is_withdrawn,
        "extracted_at": version.extracted_at,
    }


_LEDGER_COUNTS = (
    "rows_expected",
    "rows_received",
    "rows_new",
    "rows_changed",
    "rows_unchanged",
    "rows_restored",
    "rows_withdrawn",
    "rows_quarantined",
    "rows_present",
    "is_withdrawal_refused",
)


def _ledger_row(run: Document, dataset_id: str, entry: Document) -> Document:
    portal = entry.get("portal") or {}
    started_at, finished_at = entry["started_at"], entry.get("finished_at")
    drift = entry.get("drift")
    return {
        "run_sequence": int(run["_id"]),
        "run_id": run["run_id"],
        "portal": entry["table"].partition("__")[0],
        "dataset": dataset_id,
        "table_name": entry["table"],
        "status": entry["status"],
        "started_at": started_at,
        "finished_at": finished_at,
        "extracted_at": entry.get("extracted_at"),
        # The clock may have been set back meanwhile.
        "duration_s": max(0.0, (finished_at - started_at).total_seconds()) if finished_at else None,
        **{name: entry.get(name) for name in _LEDGER_COUNTS},
        "drift": None if drift is None else orjson.dumps(drift).decode(),
        "portal_data_processed_at": _timestamp(portal.get("data_processed")),
        "portal_modified_at": _timestamp(portal.get("modified")),
        "portal_records_count": portal.get("records_count"),
        "is_synthetic": portal.get("is_synthetic"),
        "error": entry.get("error"),
    }


def _restored_run(row: Document) -> Document:
    """A run of the ledger out of one of its rows in the warehouse; its loads are still to come."""
    return {
        "_id": Int64(row["run_sequence"]),
        "run_id": row["run_id"],
        "status": "finished",
        "purpose": "restored from the warehouse",
        "host": None,
        "pid": None,
        "code_version": None,
        "loads": {},
    }


def _restored_load(row: Document) -> Document:
    """The inverse of `_ledger_row`, as far as a row goes; the next run pulls in full after it."""
    times = ("started_at", "finished_at", "extracted_at")
    processed, modified = row["portal_data_processed_at"], row["portal_modified_at"]
    entry = {name: row[name] for name in (*times, "status", *_LEDGER_COUNTS, "error")}
    return {
        **{name: value for name, value in entry.items() if value is not None or name in times},
        "table": row["table_name"],
        "drift": None if row["drift"] is None else orjson.loads(row["drift"]),
        "portal": {
            "data_processed": processed and processed.isoformat(),
            "modified": modified and modified.isoformat(),
            "records_count": row["portal_records_count"],
            "is_synthetic": row["is_synthetic"],
        },
    }


def _timestamp(value: str | datetime | None) -> datetime | None:
    """A portal's date in UTC; None where it says none, or none that can be read."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None:
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
