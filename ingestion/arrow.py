"""Documents of MongoDB as Arrow tables and Parquet files: the one place where speed decides.

pymongo's public `find_raw_batches` makes an object of each document, which takes longer than all
the rest (benchmarks/hops.py); `_Replies` joins them with the C function that pymongo keeps for
itself. Where a release of pymongo has that no longer, the public way is taken.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Any

from bson import decode
from pymongo import CursorType
from pymongo.collection import Collection
from pymongo.cursor import RawBatchCursor

try:
    from bson import _array_of_documents_to_buffer
except ImportError:  # a release without it
    _array_of_documents_to_buffer = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pyarrow as pa

# BSON: a length of four bytes before each document, a type and a name before each value.
_OPENING = re.compile(rb"....\x03cursor\0....\x04(?P<name>firstBatch|nextBatch)\0", re.DOTALL)
_CURSOR_AT = len(b"....\x03cursor\0")
REPLY_ROWS = 20_000  # documents in a reply of the server, which ends at 16 MB; and in a row group


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
    """What `Collection.find_raw_batches` returns, in half the time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # From now on glibc keeps freed pieces up to this size, for 32 MiB is the most it accepts:
        # fresh pages for each reply take longer than all else.
        bytes(31 * 1024 * 1024)

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        """The batch out of a reply, `{cursor: {firstBatch: [...], id, ns}, ok}`, copied once."""
        reply = memoryview(response.payload_document)
        opening = _OPENING.match(reply)
        if opening is None:  # an error, or another order: pymongo reads it
            return super()._unpack_response(response, *args, **kwargs)
        start, (size,) = opening.end(), unpack_from("<i", reply, opening.end())
        documents = _array_of_documents_to_buffer(reply[start : start + size])
        (of_cursor,) = unpack_from("<i", reply, _CURSOR_AT)
        rest = bytes(reply[start + size : _CURSOR_AT + of_cursor])
        cursor = decode(pack("<i", 4 + len(rest)) + rest)
        batch = {opening["name"].decode(): [documents] if documents else []}
        return [{"ok": 1.0, "cursor": cursor | batch}]


def write_parquet(path: Path, tables: Iterator[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema to a file, in constant memory."""
    import pyarrow.parquet as pq

    # The file is read once and whole: statistics and most dictionaries would cost and not help.
    how: Any = {
        "compression": {name: "lz4" if name == "payload" else "none" for name in schema.names},
        "use_dictionary": ["run_sequence", "run_id", "extracted_at"],
        "write_statistics": False,
    }
    with pq.ParquetWriter(path, schema, **how) as writer, ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)  # while this one is compressed and written
            writer.write_table(table)
