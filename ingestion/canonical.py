"""What a record is, how it is compared, and which records can be kept at all. Pure functions.

A portal sends one JSON object per line. It is kept as text, and everybody who reads it must find
the same record in it. But parsers differ: MongoDB has no integer beyond 64 bits, DuckDB keeps the
first of two equal names where Python keeps the last, Snowflake damages a VARIANT that holds NUL. So
a record either means the same to all of them or is kept out by name, with one of the reasons
below, before it is written anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from math import isfinite
from typing import Any, NoReturn

import orjson

_KIB = 1024
_INT64 = range(-(2**63), 2**63)

MAX_RECORD_BYTES = 16 * _KIB * _KIB - 16 * _KIB
"""Largest record, in bytes of its JSON text: it is stored in one MongoDB document of at most 16
MiB, with its key, hash and run (under 16 KiB)."""

MAX_DEPTH = 90
"""Deepest record, in objects and arrays, the record itself included: a MongoDB document, which a
reader may make of the text, ends at 100 levels."""

MAX_KEY_BYTES = 4 * _KIB
"""Longest `record_key`, in bytes of UTF-8: every version of the record repeats it, indexed."""


class Reason(StrEnum):
    """Why a record is kept out. The values are stored: never rename one."""

    TOO_LARGE = "too_large"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_DEEP = "too_deep"
    DUPLICATE_NAME = "duplicate_name"
    EMPTY_NAME = "empty_name"
    RESERVED_NAME = "reserved_name"
    NUL_CHARACTER = "nul_character"
    LONE_SURROGATE = "lone_surrogate"
    NOT_A_NUMBER = "not_a_number"
    NUMBER_OVERFLOW = "number_overflow"
    INTEGER_OUT_OF_RANGE = "integer_out_of_range"
    KEY_MISSING = "key_missing"
    KEY_NULL = "key_null"
    KEY_BLANK = "key_blank"
    KEY_NOT_SCALAR = "key_not_scalar"
    KEY_TOO_LONG = "key_too_long"
    DUPLICATE_KEY = "duplicate_key"
    """Two records of one pull have the same key (found by the pull, not here)."""


class BadRecordError(ValueError):
    """A record that cannot be kept unaltered: something to quarantine, never the end of a run."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        """For a person, one sentence, no record content beyond a name."""


def parse_record(line: bytes) -> dict[str, Any]:
    """Parse one line of a JSONL export, strictly.

    Args:
        line: one record's bytes, without the line feed.

    Returns:
        The record, which MongoDB, DuckDB and Snowflake all hold without a change.

    Raises:
        BadRecordError: it is not such a record; `reason` says why.
    """
    if len(line) > MAX_RECORD_BYTES:
        _fail(Reason.TOO_LARGE, f"{len(line)} bytes of text, limit {MAX_RECORD_BYTES}")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        _explain(line, error)
    if type(record) is not dict:
        _fail(Reason.NOT_AN_OBJECT, f"a JSON {_json_type(record)} stands where an object must")
    # The rest costs little more than parsing did, because each check is first a search for bytes
    # without which it cannot fail; only then is it made exactly.
    braces = line.count(b"{")
    if braces + line.count(b"[") > MAX_DEPTH:
        _check_depth(line)
    names = list(record) if braces == 1 else _names(record, braces)
    if line.count(b":") != len(names):
        _check_duplicates(line, len(names))
    if b"\\" in line and b"\\u0000" in line:
        _check_nul(record)
    joined = "\0".join(names)
    if "." in joined or "$" in joined or "\0\0" in f"\0{joined}\0":
        _check_names(names)
    if _19_ZEROS in line.translate(_DIGITS_TO_ZERO):
        _check_integers(line)
    return record


def canonical_json(record: dict[str, Any]) -> bytes:
    """The text by which two versions of a record are compared.

    Keys are sorted by code point and there is no white space. A whole float is written as a whole
    number (86.0 as 86, -0.0 as 0), so a portal that changes only how it writes a number changes
    nothing; other floats are written shortest, in the notation of Python's `repr` where orjson's
    own has changed between releases: the hashes are kept for years.

    Args:
        record: as `parse_record` returns it.
    """
    text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    if _WHOLE_OR_SMALL.search(text) or _EXPONENT.search(text):
        text = orjson.dumps(_with_plain_floats(record), option=orjson.OPT_SORT_KEYS)
    return text


def content_digest(record: dict[str, Any]) -> bytes:
    """SHA-256 of the canonical JSON, 32 bytes."""
    return hashlib.sha256(canonical_json(record)).digest()


def content_hash(record: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return content_digest(record).hex()


def record_key(
    record: dict[str, Any], key_fields: Sequence[str], nullable: Collection[str] = ()
) -> str:
    """The identity of a record: its key fields' values as a canonical JSON array.

    Two records have the same key exactly when their key values are equal as JSON: 7 and 7.0 are,
    7 and "7" are not. In a `nullable` field a missing or blank value is null like any other, so
    that a portal which leaves an empty field out withdraws nothing.

    Raises:
        BadRecordError: a value is missing, null or blank text and its field not `nullable`, or it
            is not a scalar; or the key is longer than `MAX_KEY_BYTES`.
    """
    values = []
    for field in key_fields:
        value = record.get(field)
        if field in nullable and (value is None or (type(value) is str and not value.strip())):
            value = None
        elif type(value) is str:
            if not value or value.isspace():
                _fail(Reason.KEY_BLANK, f"key field {field} is blank")
        elif type(value) is float:
            value = _plain_float(value)
        elif value is None:
            if field in record:
                _fail(Reason.KEY_NULL, f"key field {field} is null")
            _fail(Reason.KEY_MISSING, f"key field {field} is missing")
        elif type(value) not in (int, bool):
            _fail(Reason.KEY_NOT_SCALAR, f"key field {field} is a JSON {_json_type(value)}")
        values.append(value)
    key = orjson.dumps(values)
    if len(key) > MAX_KEY_BYTES:
        _fail(Reason.KEY_TOO_LONG, f"the key has {len(key)} bytes, limit {MAX_KEY_BYTES}")
    return key.decode()


def salvage_key(
    line: bytes, key_fields: Sequence[str], nullable: Collection[str] = ()
) -> str | None:
    """The `record_key` of a line that `parse_record` refused, where it can still be told.

    It says which record was kept out, so that this record is not taken for withdrawn.

    Returns:
        The key, or None where the line does not say, or says two different ones.
    """
    ambiguous = object()

    def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            first = found.setdefault(name, value)
            if type(first) is not type(value) or first != value:
                found[name] = ambiguous
        return found

    def finite(digits: str) -> object:
        number = float(digits)
        return number if isfinite(number) else ambiguous

    try:
        record = json.loads(
            line.decode(errors="surrogateescape"),
            object_pairs_hook=unambiguous,
            parse_constant=lambda _: ambiguous,
            parse_float=finite,
            parse_int=lambda digits: int(digits) if len(digits) <= _INT64_DIGITS else ambiguous,
        )
        if type(record) is not dict:
            return None
        return record_key(record, key_fields, nullable)
    except (ValueError, TypeError, RecursionError):
        return None


# --- parsing: the exact checks behind the cheap ones ----------------------------------------------

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_19_ZEROS = b"0" * 19  # 2**63 has 19 digits
_INT64_DIGITS = 20  # with the sign
# A JSON string; possessive, so that it runs in constant memory over a text of any length.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_INTEGER = re.compile(rb"(?<![\d.eE+-])-?\d{19,}(?![\d.eE])")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BRACES_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")


def _fail(reason: Reason, detail: str) -> NoReturn:
    raise BadRecordError(reason, detail)


def _json_type(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _without_strings(line: bytes) -> bytes:
    return _STRING.sub(b"", line)


def _names(record: dict[str, Any], braces: int) -> list[str]:
    """Every name in the record, at any depth, given that its text has `braces` opening braces.

    The walk ends when that many objects are found: the coordinates of a geometry are not walked.
    """
    names: list[str] = []
    objects = [record]
    lists: list[list[Any]] = []
    found = 0
    while objects:
        item = objects.pop()
        found += 1
        names += item
        for value in item.values():
            kind = type(value)
            if kind is dict:
                objects.append(value)
            elif kind is list:
                lists.append(value)
        while lists and not objects and found < braces:
            for value in lists.pop():
                if type(value) is list:
                    lists.append(value)
                elif type(value) is dict:
                    objects.append(value)
    return names


def _check_depth(line: bytes) -> None:
    # Without strings and all but brackets, "[[][]]" is what is left; taking out every "[]" takes
    # out the innermost level.
    brackets = _without_strings(line).translate(_BRACES_TO_BRACKETS, _NOT_BRACKETS)
    depth = 0
    while brackets:
        depth += 1
        if depth > MAX_DEPTH:
            _fail(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
        brackets = brackets.replace(b"[]", b"")


def _check_duplicates(line: bytes, names: int) -> None:
    # Outside strings every colon follows a name, and the parser keeps one of two equal names.
    if _without_strings(line).count(b":") == names:
        return

    def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                _fail(Reason.DUPLICATE_NAME, f"the name {name[:100]!r} stands twice in an object")
            seen.add(name)
        return dict(pairs)

    json.loads(line.decode(), object_pairs_hook=refuse_duplicates)
    raise AssertionError("fewer names than colons, yet no name stands twice")


def _check_names(names: list[str]) -> None:
    for name in names:
        if not name:
            _fail(Reason.EMPTY_NAME, "an object has an empty name, which no query can address")
        if "." in name or name.startswith("$"):
            _fail(
                Reason.RESERVED_NAME,
                f"the name {name[:100]!r} holds a dot or starts with $, which MongoDB reads as a "
                "path or an operator",
            )


def _check_nul(value: Any) -> None:
    if type(value) is str:
        if "\0" in value:
            _fail(Reason.NUL_CHARACTER, "a name or text holds NUL (U+0000)")
    elif type(value) is dict:
        for name, inner in value.items():
            _check_nul(name)
            _check_nul(inner)
    elif type(value) is list:
        for inner in value:
            _check_nul(inner)


def _check_integers(line: bytes) -> None:
    for token in _INTEGER.findall(_without_strings(line)):
        if len(token) > _INT64_DIGITS or int(token) not in _INT64:
            _fail(
                Reason.INTEGER_OUT_OF_RANGE,
                f"the integer {token[:24].decode()} does not fit in signed 64 bits",
            )


def _explain(line: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Say why orjson refused a line. Never accepts one."""
    try:
        text = line.decode()
    except UnicodeDecodeError as cause:
        # Python's decoder reports an encoded surrogate as an invalid byte, which it also is.
        raise BadRecordError(Reason.INVALID_UTF8, f"not UTF-8 at byte {cause.start}") from None

    def refuse_constant(constant: str) -> NoReturn:
        _fail(Reason.NOT_A_NUMBER, f"{constant} is no JSON value")

    def refuse_overflow(digits: str) -> float:
        number = float(digits)
        if not isfinite(number):
            _fail(Reason.NUMBER_OVERFLOW, f"the number {digits[:24]} is beyond a double")
        return number

    def refuse_integer(digits: str) -> int:
        if len(digits) > _INT64_DIGITS or int(digits) not in _INT64:
            _fail(
                Reason.INTEGER_OUT_OF_RANGE,
                f"the integer {digits[:24]} does not fit in signed 64 bits",
            )
        return 0

    try:
        value = json.loads(
            text,
            parse_constant=refuse_constant,
            parse_float=refuse_overflow,
            parse_int=refuse_integer,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        _fail(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    except UnicodeEncodeError:
        _fail(Reason.LONE_SURROGATE, "a name or text holds half of a surrogate pair")
    except json.JSONDecodeError:
        pass
    else:
        _check_depth(line)
    raise BadRecordError(Reason.INVALID_JSON, str(error)) from None


# --- canonical numbers ----------------------------------------------------------------------------

# What orjson may write for a float that `_plain_float` would write otherwise (and some text, which
# does no harm). Each begins with plain characters: `re` then searches at the speed of memchr.
_WHOLE_OR_SMALL = re.compile(rb"\.0(?:[,}\]]|00)")
_EXPONENT = re.compile(rb"e[+-]?\d")
_HOLDS_FLOATS = frozenset({float, dict, list})


def _with_plain_floats(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return _plain_float(value)
    if kind is dict:
        return {
            name: _with_plain_floats(inner) if type(inner) in _HOLDS_FLOATS else inner
            for name, inner in value.items()
        }
    return [_with_plain_floats(inner) if type(inner) in _HOLDS_FLOATS else inner for inner in value]


def _plain_float(value: float) -> Any:
    if value.is_integer() and int(value) in _INT64:
        return int(value)
    if 1e-3 <= abs(value) < 1e16:  # fixed notation in every release of orjson
        return value
    return orjson.Fragment(repr(value))
