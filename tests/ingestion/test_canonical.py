"""Parsing, canonical form, hash and key: by property, by corpus, and by the cases that bite."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import bson
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ingestion.canonical import (
    MAX_DEPTH,
    MAX_KEY_BYTES,
    MAX_RECORD_BYTES,
    BadRecordError,
    Reason,
    canonical_json,
    content_hash,
    parse_record,
    record_key,
    salvage_key,
)

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="../shared/corpora is absent: bad-input corpora not tested"
)
JSON_SUITE = sorted((CORPORA / "json").glob("*.json"))


def reason_of(line: bytes) -> Reason | None:
    try:
        parse_record(line)
    except BadRecordError as error:
        return error.reason
    return None


# What a portal may send and every store holds.
names = st.text(st.characters(exclude_characters="\0.$", exclude_categories=["Cs"]), min_size=1)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(names, values, max_size=6)


def encode(record: Any, **options: Any) -> bytes:
    return json.dumps(record, allow_nan=False, **options).encode()


def shuffled(value: Any, data: st.DataObject) -> Any:
    """The same value with its names in another order and whole numbers written the other way."""
    if isinstance(value, dict):
        order = data.draw(st.permutations(list(value)))
        return {name: shuffled(value[name], data) for name in order}
    if isinstance(value, list):
        return [shuffled(inner, data) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if type(value) is int and int(float(value)) == value and data.draw(st.booleans()):
        return float(value) if abs(value) < 2**63 else value
    return value


def same(a: Any, b: Any) -> bool:
    """Equal as JSON values: numbers by value, booleans not numbers, names in any order."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return Decimal(a) == Decimal(b)
    return type(a) is type(b) and bool(a == b)


@given(records, st.booleans(), st.sampled_from([None, 0, 3]))
def test_what_is_parsed_is_what_was_written(record: Any, is_ascii: bool, indent: Any) -> None:
    parsed = parse_record(encode(record, ensure_ascii=is_ascii, indent=indent))
    assert same(parsed, record)
    assert list(parsed) == list(record)


@given(records)
def test_bson_holds_what_parses(record: Any) -> None:
    parsed = parse_record(encode(record))
    assert same(bson.decode(bson.encode(parsed)), parsed)


@given(records, st.data())
def test_canonical_ignores_order_space_and_the_way_whole_numbers_are_written(
    record: Any, data: st.DataObject
) -> None:
    again = parse_record(encode(shuffled(record, data), indent=1, ensure_ascii=False))
    assert canonical_json(again) == canonical_json(record)
    assert content_hash(again) == content_hash(record)


@given(records, records)
@example({"a": 1}, {"a": True})
@example({"a": 0}, {"a": False})
@example({"a": 1}, {"a": "1"})
@example({"a": None}, {})
@example({"a": 2**53}, {"a": 2**53 + 1})
@example({"a": float(2**63)}, {"a": 2**63 - 1})
@example({"a": 0.1}, {"a": math.nextafter(0.1, 1)})
@example({"a": [1, 2]}, {"a": [2, 1]})
def test_canonical_differs_exactly_where_values_do(a: Any, b: Any) -> None:
    assert (canonical_json(a) == canonical_json(b)) == same(a, b)


@given(records)
def test_canonical_is_json_of_the_same_value_and_its_own_canonical(record: Any) -> None:
    text = canonical_json(record)
    parsed = parse_record(text)
    assert same(parsed, record)
    assert canonical_json(parsed) == text


@given(floats)
@example(1e16)
@example(1e22)
@example(9.2e18)
@example(1e-5)
@example(0.00012)
@example(5e-324)
def test_a_float_is_written_as_no_other_release_of_orjson_would(number: float) -> None:
    # Independent of the library: Python's own shortest notation, or a whole number.
    expected = repr(number)
    if number.is_integer() and -(2**63) <= number < 2**63:
        expected = str(int(number))
    assert canonical_json({"a": number}) == b'{"a":' + expected.encode() + b"}"


def test_canonical_form_is_pinned() -> None:
    """Hashes are stored for years: if this fails, every record would look changed."""
    record = parse_record(
        '{"libellé": "CHÂTEAU  \\u2028", "b": [86.0, -0.0, 2.3100374894561546, 1e-7, 1e22],'
        ' "a": {"z": null, "B": true, "é": 9007199254740993}}'.encode()
    )
    text = (
        '{"a":{"B":true,"z":null,"é":9007199254740993},'
        '"b":[86,0,2.3100374894561546,1e-07,1e+22],"libellé":"CHÂTEAU  \u2028"}'
    ).encode()
    assert canonical_json(record) == text
    assert content_hash(record) == sha256(text).hexdigest()


# --- what is kept out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"<" * (MAX_RECORD_BYTES + 1), Reason.TOO_LARGE),
        (b"", Reason.INVALID_JSON),
        (b'{"a": 1', Reason.INVALID_JSON),
        (b'{"a": 1}}', Reason.INVALID_JSON),
        (b"{'a': 1}", Reason.INVALID_JSON),
        (b"\xef\xbb\xbf{}", Reason.INVALID_JSON),
        (b'{"a": "\x00"}', Reason.INVALID_JSON),
        (b'{"a": "\xe9"}', Reason.INVALID_UTF8),
        (b'{"a": "\xed\xa0\x80"}', Reason.INVALID_UTF8),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"{}"', Reason.NOT_AN_OBJECT),
        (b'{"a": 1, "a": 1}', Reason.DUPLICATE_NAME),
        (b'{"a": 1, "\\u0061": 2}', Reason.DUPLICATE_NAME),
        (b'{"a": 1, "a" : 2, "b": "\\":"}', Reason.DUPLICATE_NAME),
        (b'{"a": 1, "a" : 2}', Reason.DUPLICATE_NAME),
        (b'{"a": [{"b": 1, "b": 1}], "c": "x:y"}', Reason.DUPLICATE_NAME),
        (b'{"a": NaN}', Reason.NOT_A_NUMBER),
        (b'{"a": [-Infinity]}', Reason.NOT_A_NUMBER),
        (b'{"a": 1e400}', Reason.NUMBER_OVERFLOW),
        (b'{"a": -1.5E+309}', Reason.NUMBER_OVERFLOW),
        (b'{"a": 9223372036854775808}', Reason.INTEGER_OUT_OF_RANGE),
        (b'{"a": -9223372036854775809}', Reason.INTEGER_OUT_OF_RANGE),
        (b'{"a": 18446744073709551616}', Reason.INTEGER_OUT_OF_RANGE),
        (b'{"a": [1,' + b"9" * 400 + b"]}", Reason.INTEGER_OUT_OF_RANGE),
        (b'{"a": [1,' + b"9" * 9000 + b"]}", Reason.INTEGER_OUT_OF_RANGE),
        (b'{"a": "\\ud800"}', Reason.LONE_SURROGATE),
        (b'{"\\udc00": 1}', Reason.LONE_SURROGATE),
        (b'{"a": "\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"a": [{"b\\u0000": 1}]}', Reason.NUL_CHARACTER),
        (b'{"": 1}', Reason.EMPTY_NAME),
        (b'{"a": [[{"": 1}]]}', Reason.EMPTY_NAME),
        (b'{"a.b": 1}', Reason.RESERVED_NAME),
        (b'{"a": {"$date": 1}}', Reason.RESERVED_NAME),
        (b'{"\\u0024a": 1}', Reason.RESERVED_NAME),
        (b'{"a": ["{{{", {"b": {"c\\u002ed": 1}}]}', Reason.RESERVED_NAME),
    ],
)
def test_kept_out(line: bytes, reason: Reason) -> None:
    with pytest.raises(BadRecordError) as caught:
        parse_record(line)
    assert caught.value.reason == reason
    assert str(caught.value) == f"{reason}: {caught.value.detail}"
    assert caught.value.detail


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b' {"a" : "b:c" , "d":"e : f"}\r',
        b'{"a": "say \\":\\" twice", "b" :1}',
        b'{"a": "\\\\u0000"}',
        b'{"a": 9223372036854775807, "b": -9223372036854775808}',
        b'{"a": "12345678901234567890", "b": 0.12345678901234567890, "c": 1e-400}',
        b'{"a": 1234567890123456789e2, "b": 12345678901234567890.5}',
        b'{"cost$": 1, "a": "$b", "c": "..", "d": ""}',
        b'{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}',
        b'{"a": "' + b"[" * 200 + b'"}',
        b'{"a": "\\ud83d\\ude00"}',
    ],
)
def test_kept(line: bytes) -> None:
    assert parse_record(line) == json.loads(line)


@given(st.lists(st.tuples(st.sampled_from("abc"), scalars), max_size=5), st.integers(0, 2))
def test_names_that_stand_twice_are_found_at_any_depth(pairs: Any, depth: int) -> None:
    body = ", ".join(f"{json.dumps(name)} : {json.dumps(value)}" for name, value in pairs)
    line = f"{{{body}}}"
    for _ in range(depth):
        line = f'{{"x": ["}}", {line}]}}'
    is_repeated = len({name for name, _ in pairs}) < len(pairs)
    assert (reason_of(line.encode()) == Reason.DUPLICATE_NAME) == is_repeated


@given(st.integers(-(10**25), 10**25))
@example(2**63)
@example(-(2**63) - 1)
def test_an_integer_survives_or_is_kept_out(number: int) -> None:
    line = encode({"a": number})
    if -(2**63) <= number < 2**63:
        assert parse_record(line) == {"a": number}
    else:
        assert reason_of(line) == Reason.INTEGER_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]
)
def test_depth(opening: bytes, closing: bytes) -> None:
    levels = opening.count(b"[") + opening.count(b"{")

    def nested(times: int) -> bytes:
        return b'{"a":' + opening * times + b"1" + closing * times + b', "b": "]]}}"}'

    most = (MAX_DEPTH - 1) // levels
    assert reason_of(nested(most)) is None
    assert canonical_json(parse_record(nested(most)))
    for times in (most + 1, 300, 2_000, 100_000):
        assert reason_of(nested(times)) == Reason.TOO_DEEP


def test_many_siblings_are_not_depth() -> None:
    ring = [[2.3 + i / 1e5, 48.8] for i in range(5_000)]
    feature = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}
    assert parse_record(encode({"geo_shape": feature})) == {"geo_shape": feature}


def test_size_is_that_of_the_text() -> None:
    # The densest array there is: as BSON it would be six times the size.
    line = b'{"a":[' + b",".join([b"0"] * (MAX_RECORD_BYTES // 2 - 4)) + b"]}"
    assert reason_of(line.ljust(MAX_RECORD_BYTES)) is None
    assert reason_of(line.ljust(MAX_RECORD_BYTES + 1)) == Reason.TOO_LARGE


def test_a_long_text_is_parsed_in_little_memory() -> None:
    """A regular expression that recurses or backtracks over a 7 MB text would need gigabytes."""
    code = (
        "import resource; from ingestion.canonical import parse_record, BadRecordError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600 << 20,) * 2)\n"
        'line = b\'{"a:": "\' + b\'\\\\":[\' * 1_700_000 + b\'", "b": 1}\'\n'
        "assert len(parse_record(line)) == 2\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


# --- keys -----------------------------------------------------------------------------------------

key_scalars = st.booleans() | integers | floats | texts.filter(lambda text: bool(text.strip()))
keys = st.tuples(key_scalars, key_scalars)


@given(keys, keys)
@example(("a", 'b","c'), ('a","b', "c"))
@example((1, 1), (True, 1))
@example((7, 1), (7.0, 1))
@example(("7", 1), (7, 1))
def test_keys_are_equal_exactly_where_their_values_are(a: Any, b: Any) -> None:
    one, other = (record_key({"k": key[0], "l": key[1], "x": 0}, ["k", "l"]) for key in (a, b))
    assert (one == other) == same(list(a), list(b))
    assert same(json.loads(one), list(a))


def test_key_as_stored() -> None:
    record = {"annee_scol": "2019-2020", "libelle": "ROBERT DOISNEAU", "c": 7.0}
    assert record_key(record, ("libelle", "annee_scol")) == '["ROBERT DOISNEAU","2019-2020"]'
    assert record_key(record, ("c",)) == "[7]"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, Reason.KEY_MISSING),
        ({"k": None}, Reason.KEY_NULL),
        ({"k": ""}, Reason.KEY_BLANK),
        ({"k": " \t\u00a0"}, Reason.KEY_BLANK),
        ({"k": ["a"]}, Reason.KEY_NOT_SCALAR),
        ({"k": {"a": 1}}, Reason.KEY_NOT_SCALAR),
        ({"k": "é" * (MAX_KEY_BYTES // 2)}, Reason.KEY_TOO_LONG),
    ],
)
def test_no_key(record: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(BadRecordError) as caught:
        record_key(record, ["k"])
    assert caught.value.reason == reason


@pytest.mark.parametrize("empty", [{"l": None}, {"l": ""}, {"l": " \t"}, {}])
def test_a_part_of_the_key_may_be_null(empty: dict[str, Any]) -> None:
    record = {"k": "A", **empty}
    assert record_key(record, ("k", "l"), ["l"]) == '["A",null]'
    assert salvage_key(json.dumps(record).encode(), ("k", "l"), ["l"]) == '["A",null]'
    with pytest.raises(BadRecordError):
        record_key(record, ("k", "l"))
    with pytest.raises(BadRecordError) as caught:
        record_key({"k": None, "l": "B"}, ("k", "l"), ["l"])
    assert caught.value.reason == Reason.KEY_NULL


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"k": "A", "n": NaN}', '["A"]'),
        (b'{"k": "A", "n": 1e999}', '["A"]'),
        (b'{"k": "A", "n": 99999999999999999999999}', '["A"]'),
        (b'{"k": "A", "n": ' + b"9" * 9000 + b"}", '["A"]'),
        (b'{"k": "A", "n": "\xff"}', '["A"]'),
        (b'{"k": "A", "n": "\\ud800", "$x": 1}', '["A"]'),
        (b'{"k": "A", "n": 1, "n": 2}', '["A"]'),
        (b'{"k": "A", "k": "A"}', '["A"]'),
        (b'{"k": 7.0, "n": "\\u0000"}', "[7]"),
        (b'{"k": "A", "k": "B"}', None),
        (b'{"k": "A", "k": "B", "k": "A"}', None),
        (b'{"k": 1, "k": true}', None),
        (b'{"k": 1e999}', None),
        (b'{"k": NaN}', None),
        (b'{"k": 99999999999999999999999}', None),
        (b'{"k": "\xff"}', None),
        (b'{"k": "\\ud800"}', None),
        (b'{"k": "A", "n": ', None),
        (b'{"n": 1}', None),
        (b'["A"]', None),
        (b"", None),
        (b'{"k": "A", "n": ' + b"[" * 100_000, None),
    ],
)
def test_salvaged_key(line: bytes, key: str | None) -> None:
    assert salvage_key(line, ["k"]) == key


@given(records)
def test_a_salvaged_key_is_the_key(record: Any) -> None:
    record["k"] = "A"
    line = encode(record)
    assert salvage_key(line, ["k"]) == record_key(parse_record(line), ["k"])


# --- corpora --------------------------------------------------------------------------------------


@needs_corpora
@pytest.mark.parametrize("path", JSON_SUITE, ids=lambda path: path.stem)
def test_json_suite(path: Path) -> None:
    line = path.read_bytes()
    reason = reason_of(line)
    if path.name.startswith("n_"):
        assert reason is not None
    elif path.name.startswith("y_"):
        expected = json.loads(line)
        if not isinstance(expected, dict):
            assert reason == Reason.NOT_AN_OBJECT
        else:
            stated = {
                "y_object_duplicated_key": Reason.DUPLICATE_NAME,
                "y_object_duplicated_key_and_value": Reason.DUPLICATE_NAME,
                "y_object_empty_key": Reason.EMPTY_NAME,
                "y_object_escaped_null_in_key": Reason.NUL_CHARACTER,
            }
            assert reason == stated.get(path.stem)
    # As a member of an object the same text is judged for itself, wherever that makes JSON.
    wrapped = b'{"value": ' + line.strip() + b"}"
    try:
        value = json.loads(wrapped)
    except (ValueError, RecursionError):
        assert reason_of(wrapped) is not None
    else:
        if reason_of(wrapped) is None:
            assert same(parse_record(wrapped), value)
            parsed = parse_record(wrapped)
            assert same(bson.decode(bson.encode(parsed)), parsed)
            assert same(orjson.loads(canonical_json(parsed)), parsed)
    salvage_key(line, ["asd"])


@needs_corpora
def test_the_json_suite_is_whole() -> None:
    assert len(JSON_SUITE) == 318


@needs_corpora
def test_naughty_strings_as_value_and_as_name() -> None:
    strings = json.loads((CORPORA / "naughty_strings.json").read_bytes())
    assert len(strings) > 500
    for text in strings:
        for is_ascii in (True, False):
            value = {"a": text, "b": [text]}
            assert parse_record(encode(value, ensure_ascii=is_ascii)) == value
            assert bson.decode(bson.encode(value)) == value
            name = {text: 1, "nested": {text: [text]}}
            reason = reason_of(encode(name, ensure_ascii=is_ascii))
            if not text:
                assert reason == Reason.EMPTY_NAME
            elif "." in text or text.startswith("$"):
                assert reason == Reason.RESERVED_NAME
            else:
                assert reason is None
                assert bson.decode(bson.encode(name)) == name
        if text.strip():
            assert json.loads(record_key({"k": text}, ["k"])) == [text]
