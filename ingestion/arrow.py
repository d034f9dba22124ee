"""Documents of MongoDB as Arrow tables and Parquet files: the one place where speed decides.

pymongo's public `find_raw_batches` makes an object of each document, which takes longer than all
the rest (benchmarks/hops.py); `_Replies` joins them with the C function that pymongo keeps for
itself. Where a release of pymongo has that no longer, the public way is taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo import CursorType
from pymongo.collection import Collection
from pymongo.cursor import RawBatchCursor

try:
    from bson import _array_of_documents_to_buffer
    from bson.raw_bson import _RAW_ARRAY_BSON_OPTIONS, _RawArrayBSONDocument
except ImportError:  # a release without it
    _array_of_documents_to_buffer = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pyarrow as pa

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
        # glibc keeps what is freed, up to twice the largest piece: no fresh pages for each reply.
        bytes(16 * 1024 * 1024)

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        options: Any = _RAW_ARRAY_BSON_OPTIONS
        reply = _RawArrayBSONDocument(response.payload_document, options)
        cursor = reply.get("cursor")
        if cursor is None:  # an error, which pymongo tells
            return super()._unpack_response(response, *args, **kwargs)
        name = "firstBatch" if "firstBatch" in cursor else "nextBatch"
        documents = _array_of_documents_to_buffer(cursor[name])
        batch = {name: [documents] if documents else []}
        return [{"ok": 1.0, "cursor": {"id": cursor["id"], "ns": cursor["ns"], **batch}}]


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
