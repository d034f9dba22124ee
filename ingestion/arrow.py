"""Documents of MongoDB as Arrow tables and Parquet files: the one place where speed decides.

pymongo's public `find_raw_batches` copies each document once more, which takes longer than all the
rest (benchmarks/hops.py); `_Replies` joins them with the C function that pymongo keeps for itself.
Where a release of pymongo has that no longer, the public way is taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any

from bson.errors import InvalidBSON
from pymongo import CursorType
from pymongo.collection import Collection
from pymongo.cursor import RawBatchCursor

try:
    from bson import _array_of_documents_to_buffer
except ImportError:  # a release without it
    _array_of_documents_to_buffer = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pyarrow as pa

REPLY_ROWS = 2_000  # documents in a reply of the server: about three megabytes
ROW_GROUP_BYTES = 8 * 1024 * 1024  # of Arrow memory, written at once, whatever the load's size
_SIZE = Struct("<i").unpack_from
_LONG = Struct("<q").unpack_from
_DOCUMENT, _ARRAY, _TEXT, _BINARY = 0x03, 0x04, 0x02, 0x05
_FIXED_SIZE = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}
"""BSON type of a value → its bytes, where the type says it all (bsonspec.org)."""


def read(
    collection: Collection[Any], columns: Mapping[str, str], query: Any, **options: Any
) -> Iterator[pa.Table]:
    """The documents a query finds, a table for each reply of the server.

    `columns`: field → its type, as in `empty`; other fields are skipped, missing ones null. Query
    and options are those of `Collection.find`.
    """
    with warnings.catch_warnings():
        # Its wheel was built against an earlier patch release of pyarrow, whose classes grew.
        warnings.filterwarnings("ignore", message=".*size changed, may indicate binary")
        from pymongoarrow.context import PyMongoArrowContext
        from pymongoarrow.schema import Schema
        from pymongoarrow.types import BinaryType

    import pyarrow as pa

    wanted = empty(columns).schema
    schema = Schema({f.name: BinaryType(0) if f.type == pa.binary() else f.type for f in wanted})
    for reply in replies(collection, query, **options):
        context = PyMongoArrowContext(schema, codec_options=collection.codec_options)
        context.process_bson_stream(reply)
        table = context.finish()
        yield table.cast(wanted)  # binary is an extension type, of no use to Arrow


def empty(columns: Mapping[str, str]) -> pa.Table:
    """A table without rows; times are in milliseconds, UTC."""
    import pyarrow as pa

    types = {
        "text": pa.string(), "bigint": pa.int64(), "bool": pa.bool_(), "double": pa.float64(),
        "timestamp": pa.timestamp("ms", tz="UTC"), "binary": pa.binary(),
    }  # fmt: skip
    return pa.schema({name: types[kind] for name, kind in columns.items()}).empty_table()


def replies(collection: Collection[Any], query: Any, **options: Any) -> Iterator[bytes]:
    """The documents a query finds, in BSON, those of a reply one after the other."""
    options.setdefault("batch_size", REPLY_ROWS)
    if not collection.database.client.is_mongos:  # whose routers cannot
        options["cursor_type"] = CursorType.EXHAUST  # the server reads on meanwhile
    if _array_of_documents_to_buffer is None:
        yield from collection.find_raw_batches(query, **options)
    else:
        yield from _Replies(collection, query, **options)


class _Replies(RawBatchCursor[Any]):
    """What `Collection.find_raw_batches` returns, in less time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # glibc keeps what is freed, up to twice the largest piece: no fresh pages for each reply.
        bytes(16 * 1024 * 1024)

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        found = _documents(memoryview(response.payload_document))
        if found is None:  # an error, which pymongo tells
            return super()._unpack_response(response, *args, **kwargs)
        documents, cursor_id = found
        batch = [documents] if documents else []
        both = {"firstBatch": batch, "nextBatch": batch}
        return [{"ok": 1.0, "cursor": {"id": cursor_id, "ns": self.collection.full_name, **both}}]


def _documents(reply: memoryview) -> tuple[bytes, int] | None:
    """The documents of a reply and its cursor's id; None if it has no cursor."""
    cursor = dict(_values(reply, 0)).get(b"cursor")
    if cursor is None:
        return None
    documents, cursor_id = b"", 0
    for name, position in _values(reply, cursor):
        if name in (b"firstBatch", b"nextBatch"):
            end = position + _SIZE(reply, position)[0]
            documents = _array_of_documents_to_buffer(reply[position:end])
        elif name == b"id":
            cursor_id = _LONG(reply, position)[0]
    return documents, cursor_id


def _values(reply: memoryview, document: int) -> Iterator[tuple[bytes, int]]:
    """The name and the place of each value of the document at a place."""
    position, end = document + 4, document + _SIZE(reply, document)[0] - 1
    while position < end:
        kind = reply[position]
        name = bytes(takewhile(bool, reply[position + 1 : end]))
        value = position + 2 + len(name)
        yield name, value
        if kind in (_ARRAY, _DOCUMENT):
            position = value + _SIZE(reply, value)[0]
        elif kind in (_TEXT, _BINARY):
            position = value + (4 if kind == _TEXT else 5) + _SIZE(reply, value)[0]
        elif kind in _FIXED_SIZE:
            position = value + _FIXED_SIZE[kind]
        else:
            raise InvalidBSON(f"a reply of MongoDB holds a value of type {kind}")


def write_parquet(path: Path, tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[int]:
    """Write tables of one schema to a file, in constant memory; yields the rows so far."""
    import pyarrow.parquet as pq

    rows = 0
    # The file is read once and whole: statistics and most dictionaries would cost and not help.
    how: Any = {
        "compression": {name: "lz4" if name == "payload" else "none" for name in schema.names},
        "use_dictionary": ["run_sequence", "run_id", "extracted_at"],
        "write_statistics": False,
    }
    with pq.ParquetWriter(path, schema, **how) as writer, ThreadPoolExecutor(1) as reader:
        groups = _row_groups(tables)
        coming = reader.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = reader.submit(next, groups, None)  # while this one is compressed and written
            writer.write_table(group, row_group_size=len(group))
            rows += len(group)
            yield rows


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    import pyarrow as pa

    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(part.nbytes for part in held) >= ROW_GROUP_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)
