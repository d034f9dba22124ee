"""Documents as MongoDB sends them, in bytes, for whoever reads many.

pymongo's own `find_raw_batches` spends more time on a reply than it takes to make Arrow of what is
in it. Here it is only told where in a reply the documents are (bsonspec.org).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from struct import Struct
from typing import Any

from bson import _array_of_documents_to_buffer
from bson.errors import InvalidBSON
from pymongo.cursor import RawBatchCursor

_SIZE = Struct("<i").unpack_from
_LONG = Struct("<q").unpack_from
_DOCUMENT, _ARRAY, _TEXT, _BINARY = 0x03, 0x04, 0x02, 0x05
_FIXED_SIZE = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}
"""Type of a value → its bytes, where the type says it all."""


class RawReplies(RawBatchCursor[Any]):
    """What ``Collection.find_raw_batches`` returns, in less time; made with the same arguments.

    Yields the documents of each reply one after the other, as bytes. It relies on how the pymongo
    that is locked hands replies to its cursors, and on the function with which it joins documents.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # glibc keeps freed memory, up to twice the largest piece that was freed before. Else the
        # kernel gives, and zeroes, fresh pages for each reply. These are never touched.
        bytes(16 * 1024 * 1024)

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        taken = take_apart(memoryview(response.payload_document))
        if taken is None:  # an error, which pymongo tells
            return super()._unpack_response(response, *args, **kwargs)
        documents, cursor_id = taken
        batch = [documents] if documents else []
        namespace = self.collection.full_name
        cursor = {"id": cursor_id, "ns": namespace, "firstBatch": batch, "nextBatch": batch}
        return [{"ok": 1.0, "cursor": cursor}]


def take_apart(reply: memoryview) -> tuple[bytes, int] | None:
    """The documents of a reply, one after the other, and its cursor's id; None if it has no cursor.

    Raises:
        InvalidBSON: it is no reply.
    """
    cursor = dict(_values(reply, 0)).get(b"cursor")
    if cursor is None:
        return None
    documents, cursor_id = b"", 0
    for name, position in _values(reply, cursor):
        if name in (b"firstBatch", b"nextBatch"):
            documents = _array_of_documents_to_buffer(reply[position : _end(reply, position) + 1])
        elif name == b"id":
            cursor_id = _LONG(reply, position)[0]
    return documents, cursor_id


def _values(reply: memoryview, document: int) -> Iterator[tuple[bytes, int]]:
    """The name and the place of each value of the document at a place."""
    position, end = document + 4, _end(reply, document)
    while position < end:
        kind = reply[position]
        name = bytes(takewhile(bool, reply[position + 1 : end]))
        value = position + 2 + len(name)
        yield name, value
        if kind in (_ARRAY, _DOCUMENT):
            position = value + _SIZE(reply, value)[0]
        elif kind == _TEXT:
            position = value + 4 + _SIZE(reply, value)[0]
        elif kind == _BINARY:
            position = value + 5 + _SIZE(reply, value)[0]
        elif kind in _FIXED_SIZE:
            position = value + _FIXED_SIZE[kind]
        else:
            raise InvalidBSON(f"a reply of MongoDB holds a value of type {kind}")


def _end(reply: memoryview, document: int) -> int:
    """Where the zero stands that ends the document, or array, at a place."""
    end: int = document + _SIZE(reply, document)[0] - 1
    return end
