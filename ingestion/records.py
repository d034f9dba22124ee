"""What a record is: parsed strictly, named by its key, compared by its content.

A portal sends one JSON object per line. The line is kept as text, and what is read out of it must
be what everybody else reads: a parser that keeps the last of two equal names, or rounds an integer
of 20 digits, would compare something else. Such lines are read exactly, or kept out.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import compress, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ingestion.registry import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

MAX_RECORD_BYTES = 15 * 1024 * 1024  # of its text: a MongoDB document ends at 16 MiB
MAX_KEY_BYTES = 4 * 1024
BATCH_ROWS = 8_192
_INT64 = range(-(2**63), 2**63)
_BUFFER = 1024 * 1024


class BadRecordError(ValueError):
    """A line that cannot be kept as a record: something to quarantine, never the end of a run."""

    def __init__(self, reason: str, detail: str) -> None:
        """`reason`: as docs/runbook.md lists them; `detail`: without the record's content."""
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Quarantined(NamedTuple):
    """A line that is no record."""

    line_number: int
    line: bytes
    reason: str
    detail: str
    record_key: str | None  # the record it says it is, where it says so without contradiction


def read(
    path: Path, dataset: Dataset, held: pa.Table, keep_out: Callable[[Quarantined], None]
) -> pa.Table:
    """Read the file of one pull, one record per line.

    A line whose hash is among those held is that record, unchanged, and is not parsed.

    Args:
        path: the file.
        dataset: says what the key is.
        held: of the records present `record_key`, `content_hash` and `line_hash`, as returned.
        keep_out: takes each line that is no record.

    Returns:
        `line_number` int64, `record_key` string, `content_hash` string (64 hex digits), `line_hash`
        binary (16 bytes), `offset` int64 (in bytes, for `lines_at`); a key may come more than once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    hash_of, offsets = line_hasher(dataset), array("q")

    def hash_lines() -> Iterator[bytes]:
        for offset, line in located_lines(path):
            offsets.append(offset)
            yield hash_of(line)

    hashes = pa.array(hash_lines(), pa.binary())
    places = pc.index_in(hashes, value_set=held["line_hash"].cast("binary"))
    known = held.select(["record_key", "content_hash"]).take(places.drop_null())
    numbers = pc.add(pc.indices_nonzero(places.is_valid()), 1).cast("int64")
    parts = [known.add_column(0, "line_number", numbers)]
    numbered = compress(enumerate(lines(path), 1), places.is_null().to_pylist())
    parsed = _parsed(numbered, dataset, keep_out)
    while rows := list(islice(parsed, BATCH_ROWS)):
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        parts.append(pa.table(columns, parts[0].schema.names))
    found = pa.concat_tables(parts)
    lines_found = pc.subtract(found["line_number"], 1)
    found = found.append_column("line_hash", hashes.take(lines_found))
    return found.append_column("offset", pa.array(offsets, pa.int64()).take(lines_found))


def _parsed(
    numbered: Iterable[tuple[int, bytes]], dataset: Dataset, keep_out: Callable[[Quarantined], None]
) -> Iterator[tuple[int, str, str]]:
    for number, line in numbered:
        try:
            record, text = parse(line)
            key = record_key(record, dataset)
        except BadRecordError as bad:
            named = _key_of_damaged(line, dataset)
            keep_out(Quarantined(number, line, bad.reason, bad.detail, named))
        else:
            yield number, key, sha256(text).hexdigest()


def located_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, without their ends, each after the byte it begins at."""
    with path.open("rb", buffering=_BUFFER) as file:
        # A byte order mark is no part of the first record.
        offset = file.seek(3 if file.read(3) == b"\xef\xbb\xbf" else 0)
        for line in file:
            if not line.isspace():
                yield offset, line.rstrip(b"\r\n")
            offset += len(line)


def lines(path: Path) -> Iterator[bytes]:
    """The lines that are not blank, without their ends."""
    return (line for _, line in located_lines(path))


def lines_at(path: Path, offsets: Iterable[int]) -> Iterator[bytes]:
    """The lines that begin at these bytes, without their ends; quickest where they rise."""
    with path.open("rb", buffering=_BUFFER) as file:
        for offset in offsets:
            file.seek(offset)
            yield file.readline().rstrip(b"\r\n")


def line_hasher(dataset: Dataset) -> Callable[[bytes], bytes]:
    """What hashes a line as received, into 16 bytes.

    With the key's fields in it, no line is found held under the name another key would give it.
    """
    key = "\0".join(dataset.key).encode()
    return lambda line: sha256(line + key).digest()[:16]


# --- parsing and comparing ------------------------------------------------------------------------

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = re.compile(rb"(?<![\d.])\d{19,}")  # 2**63 has 19 digits
_HOLDS_FLOATS = frozenset({float, dict, list})


def parse(line: bytes) -> tuple[dict[str, Any], bytes]:
    """A line's record, in which an integer beyond 64 bits is an `orjson.Fragment`, and its
    canonical text.

    orjson reads it. Where the text may hold something that orjson reads loosely (a name that stands
    twice, an integer beyond 64 bits), Python's slower parser reads it once more, exactly.
    """
    if len(line) > MAX_RECORD_BYTES:
        raise BadRecordError("too_large", f"{len(line)} bytes of text, limit {MAX_RECORD_BYTES}")
    try:
        record = orjson.loads(line)
        if type(record) is not dict:
            raise BadRecordError("not_an_object", "a line must be one JSON object")
        text = canonical(record)
        # After each name stands a colon: with fewer colons than the line, a name was dropped. An
        # escaped colon would make up for one.
        if has_long_integer(line) or b"\\u003" in line or line.count(b":") != text.count(b":"):
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
    """
    return _dumps(_with_plain_floats(value))


def record_key(record: dict[str, Any], dataset: Dataset) -> str:
    """The identity of a record: the values of its key fields as a canonical JSON array.

    7 and 7.0 are the same, 7 and "7" are not. Missing, null and blank are null in a field of
    `nullable_key`, elsewhere a BadRecordError, as are an object, an array and too long a key.
    """
    values = []
    for name in dataset.key:
        value = record.get(name)
        if value is None or (type(value) is str and not value.strip()):
            if name not in dataset.nullable_key:
                kind = "blank" if value is not None else "null" if name in record else "missing"
                raise BadRecordError(f"key_{kind}", f"key field {name} is {kind}")
            value = None
        elif type(value) in (dict, list):
            raise BadRecordError("key_not_scalar", f"key field {name} is an object or an array")
        values.append(_with_plain_floats(value))
    key = _dumps(values)
    if len(key) > MAX_KEY_BYTES:
        raise BadRecordError("key_too_long", f"{len(key)} bytes, limit {MAX_KEY_BYTES}")
    return key.decode()


def has_long_integer(line: bytes) -> bool:
    """Whether there may be an integer beyond 64 bits in a line, which orjson would round."""
    return b"0" * 19 in line.translate(_DIGITS_TO_ZERO) and _LONG_INTEGER.search(line) is not None


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _with_plain_floats(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        if value.is_integer():
            whole = int(value)
            return whole if whole in _INT64 else orjson.Fragment(str(whole))
        # In this range every release of orjson writes digits and a point, no exponent.
        return value if 1e-3 <= abs(value) < 1e16 else orjson.Fragment(repr(value))
    if kind is dict:
        inner = {n: _with_plain_floats(v) for n, v in value.items() if type(v) in _HOLDS_FLOATS}
        return value | inner if inner else value
    if kind is list:
        return [_with_plain_floats(v) if type(v) in _HOLDS_FLOATS else v for v in value]
    return value


def _any_integer(digits: str) -> int | orjson.Fragment:
    is_short = len(digits) <= 20 and int(digits) in _INT64
    return int(digits) if is_short else orjson.Fragment(digits)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise BadRecordError("duplicate_name", f"the name {twice[:100]!r} is twice in an object")
    return dict(pairs)


def _key_of_damaged(line: bytes, dataset: Dataset) -> str | None:
    """The key of a line that is no record, where it can still be told.

    It says which record was kept out, so that this record is not taken for withdrawn.
    """
    # The first is BadRecordError's: of a name that stands twice nobody knows which value is meant.
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        text = line.decode(errors="replace")
        # NaN as a list, which no field of a key may be.
        record = json.loads(text, object_pairs_hook=_each_once, parse_constant=list)
        return record_key(record, dataset)
    return None
