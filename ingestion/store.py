"""The document store: every version of every record, the ledger of pulls, the quarantine.

- A version counts only once the ledger says `finished` of its dataset and run; that one update is
  the commit. Versions are only ever added; a record's latest is the one of its greatest run.
- The versions of one run are a range of `_id`, so what a killed run left is found and removed.
- Every write is journalled before it is acknowledged (`ingestion.mongodb.connect`).
"""

from __future__ import annotations

import logging
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from bson import Int64
from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from ingestion.classify import current
from ingestion.errors import SettingsError, StoreError
from ingestion.mongodb import mongodb_errors
from ingestion.records import has_long_integer
from ingestion.registry import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

    from ingestion.records import Quarantined

logger = logging.getLogger(__name__)

Document = dict[str, Any]

VERSION_COLUMNS = {
    "record_key": "text", "run_sequence": "bigint", "run_id": "text", "content_hash": "text",
    "payload": "text", "is_withdrawn": "bool", "extracted_at": "timestamp",
}  # fmt: skip
"""Column of a raw table → its type, in dlt's words. MongoDB holds the same without `run_id`."""

LEDGER_COLUMNS = {
    "run_sequence": "bigint", "run_id": "text", "portal": "text", "dataset": "text",
    "table_name": "text", "status": "text", "started_at": "timestamp", "finished_at": "timestamp",
    "extracted_at": "timestamp", "duration_s": "double", "rows_expected": "bigint",
    "rows_received": "bigint", "rows_new": "bigint", "rows_changed": "bigint",
    "rows_unchanged": "bigint", "rows_restored": "bigint", "rows_withdrawn": "bigint",
    "rows_quarantined": "bigint", "rows_present": "bigint", "is_withdrawal_refused": "bool",
    "drift": "text", "portal_data_processed_at": "timestamp", "portal_modified_at": "timestamp",
    "portal_records_count": "bigint", "is_synthetic": "bool", "error": "text",
}  # fmt: skip
"""Column of `raw._source_load` → its type. An entry of MongoDB's ledger has the same fields, and
beside them what only the next pull needs: `fields_hash`, `registry_fingerprint`, `profile`,
`profile_changes`."""

WRITTEN = ("rows_new", "rows_changed", "rows_restored", "rows_withdrawn")
"""What the versions of a pull add up to."""

HELD = {
    "record_key": "text", "run_sequence": "bigint", "content_hash": "text", "line_hash": "binary"
}  # fmt: skip
"""What a pull is compared with; the fields of an index, a record's latest version first."""
_INDEX = [(name, DESCENDING if name == "run_sequence" else ASCENDING) for name in HELD]

RUN_SIZE = 1 << 32
"""`_id` of a version is its run × this + its number within the run."""
INSERT_ROWS = 1_000
INSERT_BYTES = 32 * 1024 * 1024  # of payloads
MAX_PART_BYTES = 15 * 1024 * 1024  # of a quarantined line, compressed; a document ends at 16 MiB

# What pymongo raises for a document that BSON cannot hold.
_UNFIT = (BSONError, OverflowError, RecursionError, UnicodeError, OperationFailure)


class Run(NamedTuple):
    """One command that pulls; each dataset it looks at gets an entry in the ledger."""

    sequence: int  # orders all runs of this store and of the warehouse it feeds
    run_id: str  # unique over all stores, e.g. `20261122T081500Z-1f3a9c`


class Store:
    """The collections of one database; the only class that knows their shapes.

    Methods raise `StoreError` where MongoDB is out of reach or refuses. What writes is called under
    the lease (`ingestion.lock`).
    """

    def __init__(self, database: Database[Document]) -> None:
        self.database = database
        self.ledger = database["source_load"]

    # -- the ledger --

    def begin_run(self) -> Run:
        """Remove what interrupted runs left, and number the next one."""
        with mongodb_errors("begin a run"):
            for entry in list(self.ledger.find({"status": "running"})):
                logger.warning(
                    "run %d was interrupted while it pulled %s; what it wrote is removed",
                    entry["run_sequence"], entry["dataset"],
                )  # fmt: skip
                self.end(entry, "interrupted")
            tables = self.ledger.distinct("table_name")
            greatest = [self.ledger.find_one(sort=[("run_sequence", DESCENDING)])]
            greatest += [self.database[t].find_one(sort=[("_id", DESCENDING)]) for t in tables]
        sequence = 1 + max((int(found["run_sequence"]) for found in greatest if found), default=0)
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        return Run(sequence, run_id)

    def begin(self, run: Run, dataset: Dataset) -> Document:
        """Open one dataset's entry of a run, with status `running`."""
        entry: Document = dict.fromkeys(LEDGER_COLUMNS) | {
            "_id": f"{run.sequence}/{dataset.table}",
            "run_sequence": Int64(run.sequence),
            "run_id": run.run_id,
            "portal": dataset.portal.name,
            "dataset": dataset.dataset_id,
            "table_name": dataset.table,
            "status": "running",
            "started_at": _now(),
        }
        with mongodb_errors(f"begin the pull of {dataset.dataset_id}"):
            self.ledger.create_index([("dataset", ASCENDING), ("run_sequence", DESCENDING)])
            self.ledger.insert_one(entry)
        return entry

    def end(self, entry: Document, status: str, **values: Any) -> None:
        """Close an entry; `finished` is the commit, else what the pull wrote is removed."""
        # The clock may have been set back meanwhile.
        duration_s = max(0.0, (_now() - entry["started_at"]).total_seconds())
        values |= {"status": status, "finished_at": _now(), "duration_s": duration_s}
        mine: Document = {"_id": entry["_id"], "status": "running"}
        with mongodb_errors(f"close the ledger entry of {entry['dataset']}"):
            if status == "finished":
                mine["is_ending"] = None
                # After the versions: kept up to date while they come, it costs half as much again.
                self.database[entry["table_name"]].create_index(_INDEX, name="held")
            # No commit from here on: one that was sent, its answer lost, may still arrive.
            elif self.ledger.update_one(mine, {"$set": {"is_ending": True}}).matched_count:
                self._remove(entry)
            ended = self.ledger.update_one(mine, {"$set": values})
        if not ended.matched_count:
            raise StoreError(
                f"{entry['dataset']}: run {entry['run_sequence']} is closed already: another run "
                "took it for dead, or its commit arrived though the answer was lost. Run again."
            )

    def entries(self, *tables: str, **query: Any) -> list[Document]:
        """The ledger's entries of some raw tables (none named: of all), oldest first."""
        if tables:
            query["table_name"] = {"$in": tables}
        with mongodb_errors("read the ledger"):
            return list(self.ledger.find(query, {"profile": 0}, sort=[("run_sequence", ASCENDING)]))

    def last_finished(self, dataset: Dataset) -> Document | None:
        """The entry of the latest pull of a dataset that counts."""
        query = {"dataset": dataset.dataset_id, "status": "finished"}
        with mongodb_errors(f"read the ledger of {dataset.dataset_id}"):
            return self.ledger.find_one(query, sort=[("run_sequence", DESCENDING)])

    def check_origin(self, *, is_synthetic: bool) -> None:
        """Raise a SettingsError where synthetic and real records would meet."""
        with mongodb_errors("read the ledger"):
            other = self.ledger.find_one({"status": "finished", "is_synthetic": not is_synthetic})
        if other:
            held, offered = ("real", "synthetic") if is_synthetic else ("synthetic", "real")
            raise SettingsError(
                f"This store holds {held} records and the portal offers {offered} ones: they "
                "must not meet. Set COLLEGES_HOME (or MONGODB_URI) to another place; `make clean` "
                "removes the sample's."
            )

    # -- versions --

    def held(self, dataset: Dataset) -> pa.Table:
        """The latest version of each record: `record_key`, `content_hash`, `line_hash`.

        A StoreError where versions of the ledger are lost: their records would be called new.
        """
        from ingestion import arrow

        entries, table = self.entries(dataset.table), arrow.empty(HELD)
        with mongodb_errors(f"read the versions of {dataset.dataset_id}"):
            is_filled = self.database[dataset.table].find_one({}, {"_id": 1})
        if is_filled:  # else the index would be made before the versions
            table = self.read_index(dataset.table)
        # Of a run that was taken for dead and wrote on until it noticed: no harm, it never counts.
        dead = {entry["run_sequence"] for entry in entries if not written(entry)}
        counts = {run: count for run, count in count_runs(table).items() if run not in dead}
        return current(table, check_complete(dataset.dataset_id, entries, counts))

    def read_index(self, table: str) -> pa.Table:
        """Of every version what `HELD` names, sorted by record, latest first."""
        import pyarrow as pa

        from ingestion import arrow

        with mongodb_errors(f"read the versions in {table}"):
            self.database[table].create_index(_INDEX, name="held")  # a restored dump may lack it
            fields = {"_id": 0} | dict.fromkeys(HELD, 1)
            found = arrow.read(
                self.database[table], HELD, {}, projection=fields, hint="held", sort=_INDEX[:2]
            )
            return pa.concat_tables([arrow.empty(HELD), *found])

    def insert(self, table: str, versions: Iterable[Document]) -> None:
        """Write versions. Where MongoDB cannot hold the record as a document, `record` is null."""
        collection, left = self.database[table], iter(versions)
        with mongodb_errors(f"write versions to {table}"):
            while page := list(_page(left)):
                try:
                    collection.insert_many(page, ordered=False)
                except _UNFIT as error:
                    if isinstance(error, BulkWriteError) and error.details["writeConcernErrors"]:
                        raise
                    for version in page:
                        _insert_alone(collection, version)

    def _remove(self, entry: Document) -> None:
        """Remove what the pull of an entry wrote."""
        ids = run_range(entry["run_sequence"], entry["run_sequence"])
        self.database[entry["table_name"]].delete_many({"_id": ids})
        kept_out = {"table_name": entry["table_name"], "run_sequence": entry["run_sequence"]}
        self.database["quarantine"].delete_many(kept_out)

    # -- the quarantine --

    def quarantine(self, entry: Document, line: Quarantined) -> None:
        """Keep a line out, its bytes as received: compressed, in as many documents as they need."""
        said = {name: entry[name] for name in ("dataset", "table_name", "run_sequence")}
        said |= line._asdict() | {"size": len(line.line)}
        compressed = zlib.compress(said.pop("line"), 6)
        with mongodb_errors(f"quarantine lines of {entry['dataset']}"):
            for part, start in enumerate(range(0, len(compressed), MAX_PART_BYTES)):
                place = {"_id": f"{entry['_id']}/{line.line_number}/{part}"}
                held = {"part": part, "compressed": compressed[start : start + MAX_PART_BYTES]}
                self.database["quarantine"].replace_one(place, said | held, upsert=True)


def as_version(number: int, version: Document) -> Document:
    """A version as MongoDB holds it, by its number within its run."""
    run, payload = version["run_sequence"], version["payload"]
    is_exact = payload is not None and not has_long_integer(payload.encode())
    return version | {
        "_id": Int64(run * RUN_SIZE + number),
        "run_sequence": Int64(run),
        "is_withdrawn": payload is None,
        "record": orjson.loads(payload) if is_exact else None,
    }


def _page(versions: Iterator[Document]) -> Iterator[Document]:
    size = 0
    for version in islice(versions, INSERT_ROWS):
        yield version
        size += len(version["payload"] or "")
        if size >= INSERT_BYTES:
            return


def _insert_alone(collection: Collection[Document], version: Document) -> None:
    for document in (version, version | {"record": None}):
        try:
            collection.replace_one({"_id": document["_id"]}, document, upsert=True)
        except _UNFIT:
            if document["record"] is None:
                raise  # so it is no matter of the record
        else:
            return


def run_range(first: int, last: int) -> Document:
    """The `_id` of the versions of some runs, as a condition."""
    return {"$gte": Int64(first * RUN_SIZE), "$lt": Int64((last + 1) * RUN_SIZE)}


def written(entry: Mapping[str, Any]) -> int:
    """How many versions the pull of a finished entry wrote."""
    return sum(entry[name] or 0 for name in WRITTEN) if entry["status"] == "finished" else 0


def count_runs(versions: pa.Table) -> dict[int, int]:
    """Run sequence → how many of these versions are its."""
    counts = versions["run_sequence"].value_counts().to_pylist()
    return {found["values"]: found["counts"] for found in counts}


def check_complete(
    dataset_id: str, entries: Iterable[Document], counts: Mapping[int, int]
) -> list[int]:
    """The runs that wrote a version; a StoreError where others are there than the ledger says."""
    wrote = {int(entry["run_sequence"]): written(entry) for entry in entries if written(entry)}
    lost = [
        f"run {run} wrote {wrote.get(run, 0)} and {counts.get(run, 0)} are there"
        for run in sorted(wrote.keys() | counts.keys())
        if counts.get(run, 0) != wrote.get(run, 0)
    ]
    if lost:
        raise StoreError(
            f"{dataset_id}: MongoDB does not hold the versions its own ledger speaks of "
            f"({'; '.join(lost[:5])}): some were removed or added. Nothing was written. Put "
            "MongoDB back from a backup; or drop its database, and the next run fills it again "
            "from what the warehouse holds (docs/runbook.md)."
        )
    return [*wrote]


def _now() -> datetime:
    """The time in UTC, in the milliseconds MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
