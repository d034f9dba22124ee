"""Documents as MongoDB sends them, in bytes, for whoever reads many.

pymongo's own `find_raw_batches` makes an object of each document of a reply before it joins their
bytes again, which takes longer than making Arrow of them does. Here a reply is only cut where its
documents begin and end (bsonspec.org).
"""

from __future__ import annotations

from itertools import count
from struct import Struct
from typing import Any

import numpy as np
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.cursor import RawBatchCursor

_SIZE = Struct("<i").unpack_from
_LONG = Struct("<q").unpack_from
_DOCUMENT, _ARRAY, _TEXT, _INT64 = 0x03, 0x04, 0x02, 0x12
_FIXED_SIZE = {0x01: 8, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, _INT64: 8}
"""Type of a value → its bytes, where the type says it all."""


class RawReplies(RawBatchCursor[Any]):
    """What ``Collection.find_raw_batches`` returns, in less time; made with the same arguments.

    Yields the documents of each reply one after the other, as bytes. It relies on how pymongo
    hands replies to its cursors: under a pymongo that does otherwise it is that very cursor.
    """

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        reply = RawBSONDocument(response.payload_document)
        if "cursor" not in reply:  # an error, which pymongo tells
            return super()._unpack_response(response, *args, **kwargs)
        documents, cursor_id = take_apart(bytes(reply["cursor"].raw))
        batch = [documents] if documents else []
        namespace = self.collection.full_name
        cursor = {"id": cursor_id, "ns": namespace, "firstBatch": batch, "nextBatch": batch}
        return [{"ok": 1.0, "cursor": cursor}]


def take_apart(cursor: bytes) -> tuple[bytes, int]:
    """The documents of a reply's ``cursor``, one after the other, and the cursor's id.

    Raises:
        InvalidBSON: it is no such thing.
    """
    documents, cursor_id = b"", 0
    position, end = 4, len(cursor) - 1
    while position < end:
        kind = cursor[position]
        name_end = cursor.index(0, position + 1)
        name = cursor[position + 1 : name_end]
        value = name_end + 1
        if kind in (_ARRAY, _DOCUMENT):
            size = _SIZE(cursor, value)[0]
        elif kind == _TEXT:
            size = 4 + _SIZE(cursor, value)[0]
        elif kind in _FIXED_SIZE:
            size = _FIXED_SIZE[kind]
        else:
            raise InvalidBSON(f"a reply of MongoDB holds a value of type {kind}")
        if name in (b"firstBatch", b"nextBatch"):
            documents = _joined(cursor, value, value + size)
        elif name == b"id":
            cursor_id = _LONG(cursor, value)[0]
        position = value + size
    return documents, cursor_id


def _joined(reply: bytes, start: int, end: int) -> bytes:
    """The documents of an array, without what stands before each: type, number and a zero."""
    if end - start == 5:
        return b""
    return _joined_alike(reply, start, end) or _joined_one_by_one(reply, start, end)


def _joined_alike(reply: bytes, start: int, end: int) -> bytes | None:
    """Where all documents are of one size, as ids are; None where they are not.

    Those whose numbers have as many digits are rows of a matrix.
    """
    position, digits, left = start + 4, 1, 10
    size = _SIZE(reply, position + 3)[0]
    documents = []
    while position < end - 1:
        width = 2 + digits + size
        rows = min(left, (end - 1 - position) // width)
        matrix = np.frombuffer(reply, np.uint8, rows * width, position).reshape(rows, width)
        head = np.frombuffer(size.to_bytes(4, "little"), np.uint8)
        if not rows or np.any(matrix[:, 2 + digits : 6 + digits] != head):
            return None
        if np.any(matrix[:, 0] != _DOCUMENT) or np.any(matrix[:, 1 + digits]):
            return None
        documents.append(matrix[:, 2 + digits :].tobytes())
        position += rows * width
        digits, left = digits + 1, 9 * 10**digits
    return b"".join(documents) if position == end - 1 else None


def _joined_one_by_one(reply: bytes, start: int, end: int) -> bytes:
    view = memoryview(reply)
    documents = []
    position = start + 4
    for number in count():
        if position >= end - 1:
            break
        if reply[position] != _DOCUMENT:
            raise InvalidBSON("a reply of MongoDB holds something else than documents")
        begin = position + 2 + len(str(number))
        position = begin + _SIZE(reply, begin)[0]
        documents.append(view[begin:position])
    return b"".join(documents)
