"""What a record is: parsed strictly, named by its key, compared by its content.

A portal sends one JSON object per line. The line itself is kept as text, and what is read out of it
must be what everybody else reads: a parser that keeps the last of two equal names, or rounds an
integer of 20 digits, would compare something else than what was sent. Such lines are read exactly,
or kept out with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ingestion.registry import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

_KIB = 1024
MAX_RECORD_BYTES = 15 * _KIB * _KIB
"""Largest record, in bytes of its text: a MongoDB document ends at 16 MiB."""
MAX_DOCUMENT_BYTES = 2 * _KIB * _KIB
"""Largest record that is also held as a document: BSON takes up to 6.5 times the bytes of JSON."""
MAX_DOCUMENT_DEPTH = 90
"""MongoDB refuses documents nested deeper than 100 levels."""
MAX_KEY_BYTES = 4 * _KIB
BATCH_ROWS = 8_192
BATCH_BYTES = 32 * _KIB * _KIB
_INT64 = range(-(2**63), 2**63)


class BadRecordError(ValueError):
    """A line that cannot be kept as a record: something to quarantine, never the end of a run."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        """`too_large`, `too_deep`, `invalid_json`, `not_an_object`, `duplicate_name`, or
        `key_missing`, `key_null`, `key_blank`, `key_not_scalar`, `key_too_long`."""
        self.detail = detail
        """One sentence for a person, without the record's content."""


@dataclass(frozen=True)
class Quarantined:
    """A line that is no record."""

    line_number: int
    line: bytes
    reason: str
    detail: str
    record_key: str | None
    """The record it says it is, where it still says so without contradiction."""


@dataclass(frozen=True)
class Batch:
    """Some records of a pull."""

    rows: pa.RecordBatch
    """`record_key` string, `content_hash` string (64 hex digits), `line_hash` binary (16 bytes),
    `payload` large_string: the line, null where the very same line is held already."""
    quarantined: list[Quarantined]


def read_batches(path: Path, dataset: Dataset, held: pa.Table | None = None) -> Iterator[Batch]:
    """Read the file of one pull.

    Args:
        path: one record per line.
        dataset: names the key.
        held: what is known of the records present: `record_key`, `content_hash` and `line_hash`, as
            earlier batches had them. A line whose hash is among them is that record, unchanged, and
            is not parsed: that takes 1 µs where parsing and comparing take 20.

    Yields:
        Batches of at most `BATCH_ROWS` rows and about `BATCH_BYTES` of text; first the records that
        are held as they came, then the others. A key may come more than once in one pull.
    """
    is_held: Iterator[bool] | None = None
    if held is not None and held.num_rows:
        import pyarrow as pa
        import pyarrow.compute as pc

        hashes = pa.array((line_hash(line, dataset) for line in lines(path)), pa.binary())
        places = pc.index_in(hashes, value_set=held["line_hash"].cast(pa.binary()))
        for batch in held.select(_HELD).take(places.drop_null()).to_batches(BATCH_ROWS):
            payload = pa.nulls(batch.num_rows, pa.large_string())
            rows = pa.RecordBatch.from_arrays([*batch.columns, payload], names=[*_HELD, "payload"])
            yield Batch(rows, [])
        is_held = iter(places.is_valid().to_pylist())
    numbered = (
        (number, line)
        for number, line in enumerate(lines(path), 1)
        if is_held is None or not next(is_held)
    )
    while chunk := list(_bounded(numbered)):
        yield _parsed(chunk, dataset)


_HELD = ["record_key", "content_hash", "line_hash"]


def _parsed(chunk: list[tuple[int, bytes]], dataset: Dataset) -> Batch:
    import pyarrow as pa

    columns: tuple[list[Any], ...] = ([], [], [], [])
    quarantined = []
    for number, line in chunk:
        try:
            record, text = parse(line)
            key = record_key(record, dataset)
        except BadRecordError as bad:
            named = _key_of_damaged(line, dataset)
            quarantined.append(Quarantined(number, line, bad.reason, bad.detail, named))
            continue
        columns[0].append(key)
        columns[1].append(sha256(text).hexdigest())
        columns[2].append(line_hash(line, dataset))
        columns[3].append(line)
    types = (pa.string(), pa.string(), pa.binary(), pa.large_binary())
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    arrays[3] = arrays[3].cast(pa.large_string())  # the parser has seen that it is UTF-8
    return Batch(pa.RecordBatch.from_arrays(arrays, names=[*_HELD, "payload"]), quarantined)


def lines(path: Path) -> Iterator[bytes]:
    """The lines that are not blank, without their ends."""
    with path.open("rb", buffering=1024 * _KIB) as file:
        start = file.read(3)
        if start != b"\xef\xbb\xbf":  # a byte order mark is no part of the first record
            file.seek(0)
        for line in file:
            if not line.isspace():
                yield line.rstrip(b"\r\n")


def count_lines(path: Path) -> tuple[int, bytes]:
    """How many lines are not blank, and the last of them."""
    rows, last = 0, b""
    for rows, last in enumerate(lines(path), 1):  # noqa: B007
        pass
    return rows, last


def _bounded(numbered: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    size = 0
    for number, line in islice(numbered, BATCH_ROWS):
        yield number, line
        size += len(line)
        if size >= BATCH_BYTES:
            return


def line_hash(line: bytes, dataset: Dataset) -> bytes:
    """Of a line as received, 16 bytes.

    With the key's fields in it, no line is found held under the name another key would give it.
    """
    return sha256(line + "\0".join(dataset.key).encode()).digest()[:16]


# --- parsing and comparing ------------------------------------------------------------------------

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = re.compile(rb"(?<![\d.])\d{19,}")  # 2**63 has 19 digits
_EXPONENTS = re.compile(rb"e[+-]?\d"), re.compile(rb"E[+-]?\d")  # quicker than one [eE]


def parse(line: bytes) -> tuple[dict[str, Any], bytes]:
    """Parse one line, strictly.

    orjson reads it. Where the text may hold something that orjson reads loosely (a name that stands
    twice, an integer beyond 64 bits), Python's slower parser reads it once more, exactly.

    Returns:
        The record, in which an integer beyond 64 bits is an `orjson.Fragment` of its digits, and
        its canonical text as `canonical` has it.
    """
    if len(line) > MAX_RECORD_BYTES:
        raise BadRecordError("too_large", f"{len(line)} bytes of text, limit {MAX_RECORD_BYTES}")
    try:
        record = orjson.loads(line)
        if type(record) is not dict:
            raise BadRecordError("not_an_object", "a line must be one JSON object")
        has_long_integer = _has_long_integer(line)
        # Without these signs no float is whole, very small or very large.
        has_plain_floats = not (
            b".0" in line or has_long_integer or any(sign.search(line) for sign in _EXPONENTS)
        )
        text = _dumps(record) if has_plain_floats else canonical(record)
        # After each name stands a colon: with fewer colons than the line, a name was dropped. An
        # escaped colon would make up for one.
        if has_long_integer or b"\\u003" in line or line.count(b":") != text.count(b":"):
            record = json.loads(line, object_pairs_hook=_each_once, parse_int=_any_integer)
            text = canonical(record)
    except orjson.JSONDecodeError as error:
        raise BadRecordError("invalid_json", str(error)) from None
    except (RecursionError, orjson.JSONEncodeError) as error:
        raise BadRecordError("too_deep", f"nested too deep to compare: {error}") from None
    return record, text


def canonical(value: Any) -> bytes:
    """The text by which two versions of a record are compared.

    Names are sorted by code point and there is no white space. A whole number is written without a
    fraction (86.0 as 86), so a portal that only writes its numbers in another way changes nothing;
    other floats are written shortest, very small and very large ones as Python's `repr` does,
    since the notation of orjson has changed between releases and hashes are kept for years.

    Args:
        value: as `parse` returns it.
    """
    return _dumps(_with_plain_floats(value))


def record_key(record: dict[str, Any], dataset: Dataset) -> str:
    """The identity of a record: the values of its key fields as a canonical JSON array.

    7 and 7.0 are the same, 7 and "7" are not. Missing, null and blank are null in a field of
    `nullable_key`, elsewhere a BadRecordError, as are an object, an array and too long a key.
    """
    values = [_key_value(record, name, name in dataset.nullable_key) for name in dataset.key]
    key = _dumps(values)
    if len(key) > MAX_KEY_BYTES:
        raise BadRecordError("key_too_long", f"{len(key)} bytes, limit {MAX_KEY_BYTES}")
    return key.decode()


def _key_value(record: dict[str, Any], name: str, may_be_null: bool) -> Any:
    value = record.get(name)
    if type(value) is str and value and not value.isspace():
        return value
    if type(value) in (dict, list):
        raise BadRecordError("key_not_scalar", f"key field {name} is an object or an array")
    if value is not None and type(value) is not str:
        return _with_plain_floats(value)
    if may_be_null:
        return None
    if name not in record:
        raise BadRecordError("key_missing", f"key field {name} is missing")
    what = "null" if value is None else "blank"
    raise BadRecordError(f"key_{what}", f"key field {name} is {what}")


def _has_long_integer(line: bytes) -> bool:
    return b"0" * 19 in line.translate(_DIGITS_TO_ZERO) and _LONG_INTEGER.search(line) is not None


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _with_plain_floats(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return _plain_float(value)
    if kind is dict:
        plain = {
            name: _plain_float(inner) if type(inner) is float else _with_plain_floats(inner)
            for name, inner in value.items()
            if type(inner) in _HOLDS_FLOATS
        }
        return value | plain if plain else value
    if kind is list:
        return [_with_plain_floats(v) if type(v) in _HOLDS_FLOATS else v for v in value]
    return value


def _plain_float(value: float) -> Any:
    if value.is_integer():
        whole = int(value)
        return whole if whole in _INT64 else orjson.Fragment(str(whole))
    # In this range every release of orjson writes digits and a point, no exponent.
    return value if 1e-3 <= abs(value) < 1e16 else orjson.Fragment(repr(value))


_HOLDS_FLOATS = frozenset({float, dict, list})


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRecordError(
            "duplicate_name", f"the name {twice[:100]!r} stands twice in an object"
        )
    return record


def _any_integer(digits: str) -> int | orjson.Fragment:
    if len(digits) <= 20 and (number := int(digits)) in _INT64:
        return number
    return orjson.Fragment(digits)


# --- documents and damaged lines ------------------------------------------------------------------

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def document(payload: str) -> dict[str, Any] | None:
    """The record as a document for MongoDB, or None where BSON may not hold it."""
    line = payload.encode()
    if len(line) > MAX_DOCUMENT_BYTES or b"\\u0000" in line or _has_long_integer(line):
        return None
    if line.count(b"[") + line.count(b"{") > MAX_DOCUMENT_DEPTH:
        # What is left without strings is like "[[][]]"; taking out every "[]" takes out a level.
        brackets = _STRING.sub(b"", line).translate(_TO_BRACKETS, _NOT_BRACKETS)
        for _ in range(MAX_DOCUMENT_DEPTH):
            brackets = brackets.replace(b"[]", b"")
        if brackets:
            return None
    record: dict[str, Any] = orjson.loads(line)
    return record


def _key_of_damaged(line: bytes, dataset: Dataset) -> str | None:
    """The key of a line that is no record, where it can still be told.

    It says which record was kept out, so that this record is not taken for withdrawn.
    """

    def agreeing(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        # No key field may be a list: a name with two different values names no record.
        return found | {name: [] for name, value in pairs if repr(value) != repr(found[name])}

    try:
        record = json.loads(
            line.decode(errors="replace"),
            object_pairs_hook=agreeing,
            parse_constant=lambda _: [],
            parse_int=_any_integer,
        )
        return record_key(record, dataset) if type(record) is dict else None
    except (ValueError, TypeError, RecursionError):  # BadRecordError is a ValueError
        return None
