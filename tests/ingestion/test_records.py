"""Parsing, canonical text, key and document: by property, by corpus, and by the cases that bite."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.records import (
    BATCH_ROWS,
    MAX_KEY_BYTES,
    MAX_RECORD_BYTES,
    BadRecordError,
    Quarantined,
    canonical,
    line_hasher,
    lines_at,
    parse,
    record_key,
)
from ingestion.records import read as read_file
from ingestion.registry import Dataset, Portal

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="../shared/corpora is absent: bad-input corpora not tested"
)
A = Dataset(
    dataset_id="a",
    portal=Portal(name="city", base_url="https://portal.example"),
    title="A",
    publisher="City",
    licence="ODbL",
    key=("a",),
    fields={"a": ("text",), "b": ("text",)},
    volume_floor=0,
)
AB = A.model_copy(update={"key": ("a", "b")})

texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(10**25), 10**25)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(texts, values, max_size=6)


def holds(*strategies: Any) -> Any:
    """`given`, however slow the machine."""
    return lambda test: settings(deadline=None)(given(*strategies)(test))


def encode(record: Any, **options: Any) -> bytes:
    return json.dumps(record, allow_nan=False, **options).encode()


def text_of(record: Any) -> bytes:
    return parse(encode(record))[1]


def reason_of(line: bytes) -> str | None:
    try:
        parse(line)
    except BadRecordError as error:
        return error.reason
    return None


def shuffled(value: Any, data: st.DataObject) -> Any:
    """The same value with its names in another order and whole numbers written the other way."""
    if isinstance(value, dict):
        return {name: shuffled(value[name], data) for name in data.draw(st.permutations([*value]))}
    if isinstance(value, list):
        return [shuffled(inner, data) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is int and int(float(value)) == value and data.draw(st.booleans()):
        return float(value)
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


@holds(records, st.booleans(), st.sampled_from([None, 0, 3]))
def test_the_canonical_text_is_of_the_value_written(
    record: Any, is_ascii: bool, indent: Any
) -> None:
    _, text = parse(encode(record, ensure_ascii=is_ascii, indent=indent))
    assert same(json.loads(text), record)
    assert parse(text)[1] == text


@holds(records, st.data())
def test_order_space_and_the_way_a_whole_number_is_written_do_not_matter(
    record: Any, data: st.DataObject
) -> None:
    line = encode(shuffled(record, data), indent=1, ensure_ascii=False)
    assert parse(line)[1] == text_of(record)


@holds(records, records)
@example({"a": 1}, {"a": True})
@example({"a": 0}, {"a": False})
@example({"a": 1}, {"a": "1"})
@example({"a": None}, {})
@example({"a": 2**53}, {"a": 2**53 + 1})
@example({"a": 2**64 + 1}, {"a": 2**64 + 2})
@example({"a": float(2**63)}, {"a": 2**63 - 1})
@example({"a": 0.1}, {"a": math.nextafter(0.1, 1)})
@example({"a": "1.0, x"}, {"a": "1, x"})
@example({"a": [1, 2]}, {"a": [2, 1]})
def test_texts_differ_exactly_where_values_do(a: Any, b: Any) -> None:
    assert (text_of(a) == text_of(b)) == same(a, b)


@holds(floats)
@example(1e16)
@example(1e22)
@example(0.00012)
@example(5e-324)
def test_a_float_is_written_as_no_other_release_of_orjson_would(number: float) -> None:
    written = text_of({"a": number})[5:-1].decode()
    whole = str(int(number)) if number.is_integer() else None
    assert written == (whole or repr(number))


def test_the_canonical_text_is_pinned() -> None:
    line = b'{"b":86.0,"a":{"z":-0.0,"\xc3\xa9":[1e3,1.50,1e-7]},"t":"\\u003a \\n","n":null}'
    expected = b'{"a":{"z":0,"\xc3\xa9":[1000,1.5,1e-07]},"b":86,"n":null,"t":": \\n"}'
    assert parse(line)[1] == expected == canonical(orjson.loads(line))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"a":1}}', "invalid_json"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":-Infinity}', "invalid_json"),
        (b'{"a":1e400}', "invalid_json"),
        (b'{"a":01}', "invalid_json"),
        (b'{"a":"\xff"}', "invalid_json"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_json"),
        (b'{"a":"\\ud800"}', "invalid_json"),
        (b'{"a":"\t"}', "invalid_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":1,"a":1}', "duplicate_name"),
        (b'{"a":1,"\\u0061":2}', "duplicate_name"),
        (b'{"x":{"a":1,"a":2}}', "duplicate_name"),
        (b'{"a":1,"a":"\\u003a"}', "duplicate_name"),
        (b'{"a":1,"a":":"}', "duplicate_name"),
        (b'{"a":' + b"[" * 400 + b"]" * 400 + b"}", "too_deep"),
        (b'{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}', "too_large"),
    ],
)
def test_kept_out(line: bytes, reason: str) -> None:
    assert reason_of(line) == reason


@pytest.mark.parametrize(
    "line",
    [
        b'{"insee.code":1,"$x":2,"":3,"a..b":{"$":4}}',
        b'{"a":"x\\u0000y","b\\u0000":1}',
        b'{"a":123456789012345678901234567890,"b":18446744073709551615}',
        b'{"a":":::","b":"{[\\"","c":"a\\\\"}',
        b' {"a" : 1 , "b" :{ } } ',
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
    ],
)
def test_kept(line: bytes) -> None:
    """The text holds them all: MongoDB's and dbt's limits are no reason to lose a record."""
    assert reason_of(line) is None


@holds(st.lists(st.tuples(st.sampled_from("abc"), scalars), max_size=5), st.integers(0, 2))
def test_names_that_stand_twice_are_found_at_any_depth(pairs: Any, depth: int) -> None:
    inner = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs)
    line = '{"x":[' * depth + "{" + inner + "}" + "]}" * depth
    is_twice = len({name for name, _ in pairs}) < len(pairs)
    assert reason_of(line.encode()) == ("duplicate_name" if is_twice else None)


# --- keys -----------------------------------------------------------------------------------------


def key_of(line: bytes, dataset: Dataset = A) -> str:
    return record_key(parse(line)[0], dataset)


@holds(*[st.tuples(*[st.booleans() | integers | floats | texts.filter(str.strip)] * 2)] * 2)
@example(("a", 'b","c'), ('a","b', "c"))
@example((1, 1), (True, 1))
@example((7, 1), (7.0, 1))
@example(("7", 1), (7, 1))
@example((2**64 + 1, 1), (2**64 + 2, 1))
def test_keys_are_equal_exactly_where_their_values_are(a: Any, b: Any) -> None:
    keys = [key_of(encode({"a": x, "b": y}), AB) for x, y in (a, b)]
    assert (keys[0] == keys[1]) == same([*a], [*b])
    assert same(json.loads(keys[0]), [*a])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{}", "key_missing"),
        (b'{"a":null}', "key_null"),
        (b'{"a":""}', "key_blank"),
        (b'{"a":" \\u00a0"}', "key_blank"),
        (b'{"a":[1]}', "key_not_scalar"),
        (b'{"a":{}}', "key_not_scalar"),
        (b'{"a":"' + b"x" * MAX_KEY_BYTES + b'"}', "key_too_long"),
    ],
)
def test_no_key(line: bytes, reason: str) -> None:
    with pytest.raises(BadRecordError) as caught:
        key_of(line)
    assert caught.value.reason == reason


def test_a_part_of_the_key_may_be_null_where_the_registry_says_so() -> None:
    nullable = AB.model_copy(update={"nullable_key": frozenset({"b"})})
    lines = (b'{"a":1}', b'{"a":1,"b":null}', b'{"a":1,"b":" "}')
    assert {key_of(line, nullable) for line in lines} == {"[1,null]"}
    assert key_of(b'{"a":1,"b":"x"}', nullable) == '[1,"x"]'
    for line, dataset in ((b'{"b":1}', nullable), (lines[0], AB)):
        with pytest.raises(BadRecordError):
            key_of(line, dataset)


# --- files ----------------------------------------------------------------------------------------


HELD = pa.schema({"record_key": "string", "content_hash": "string", "line_hash": "binary"})


def read(path: Path, *lines: bytes, held: pa.Table | None = None, dataset: Dataset = A) -> Any:
    path.write_bytes(b"\n".join(lines))
    kept_out: list[Quarantined] = []
    rows = read_file(path, dataset, held or HELD.empty_table(), kept_out.append)
    return rows, kept_out


def test_a_file(tmp_path: Path) -> None:
    good, bad = b'{"a":"x", "n":86.0}', b'{"a":"y","n":NaN}'
    rows, quarantined = read(tmp_path / "f", good, b"", bad, b'{"a":1}\r')
    assert rows.to_pylist() == [
        {
            "line_number": number,
            "record_key": key,
            "content_hash": sha256(text).hexdigest(),
            "line_hash": line_hasher(A)(line),
            "offset": offset,
        }
        for number, key, text, line, offset in [
            (1, '["x"]', b'{"a":"x","n":86}', good, 0),
            (3, "[1]", b'{"a":1}', b'{"a":1}', len(good) + len(bad) + 3),
        ]
    ]
    offsets = rows["offset"].to_pylist()
    assert list(lines_at(tmp_path / "f", offsets[::-1])) == [b'{"a":1}', good]
    (kept_out,) = quarantined
    assert (kept_out.line_number, kept_out.line, kept_out.reason) == (2, bad, "invalid_json")
    assert kept_out.record_key == '["y"]', "it still says which record it is"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"a":1,"b":"\\ud800"}', "[1]"),
        (b'{"a":1,"b":NaN}', "[1]"),
        (b'{"a":1,"a":1}', None),
        (b'{"a":1,"b":1,"b":2}', None),
        (b'{"a":1,"a":2}', None),
        (b'{"a":1,"a":1,"a":2}', None),
        (b'{"a":1,"a":1.0}', None),
        (b'{"a":NaN,"b":1}', None),
        (b'{"a":1', None),
        (b"[1]", None),
        (b"\xff", None),
    ],
)
def test_which_record_a_damaged_line_is(line: bytes, key: str | None, tmp_path: Path) -> None:
    _, (quarantined,) = read(tmp_path / "f", line)
    assert quarantined.record_key == key


def test_what_is_held_as_it_came_is_found_without_parsing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2 * BATCH_ROWS + 7
    lines = [b'{"a":%d,"n":1.0}' % n for n in range(count)]
    rows, _ = read(tmp_path / "f", *lines)
    held = rows.select(HELD.names)
    changed = [b'{"a":5,"n":2}', b'{"a":6, "n":1}', b'{"a":"new"}', b"{"]
    monkeypatch.setattr("ingestion.records.parse", refuse(parse, {*changed, b'{"n":1.0}'}))
    again, quarantined = read(tmp_path / "f", *lines[7:], *changed, held=held)
    assert len(again) == count - 7 + 3
    assert [q.line_number for q in quarantined] == [count - 7 + 4]
    unchanged, parsed = again[: count - 7], again[count - 7 :].to_pylist()
    assert unchanged["record_key"].to_pylist() == held["record_key"].to_pylist()[7:]
    assert [row["record_key"] for row in parsed] == ["[5]", "[6]", '["new"]']
    # written otherwise, and the same: its content says so
    assert parsed[1]["content_hash"] == held["content_hash"][6].as_py()
    assert parsed[0]["content_hash"] != held["content_hash"][5].as_py()
    chosen = again.take([3, BATCH_ROWS, count - 6])
    found = list(lines_at(tmp_path / "f", chosen["offset"].to_pylist()))
    assert found == [lines[10], lines[BATCH_ROWS + 7], changed[1]]


def refuse(real: Any, allowed: set[bytes]) -> Any:
    def parse_allowed(line: bytes) -> Any:
        assert line in allowed, line
        return real(line)

    return parse_allowed


def test_nothing_is_held_under_another_key(tmp_path: Path) -> None:
    line = b'{"a":1,"b":2}'
    rows, _ = read(tmp_path / "f", line)
    again, _ = read(tmp_path / "f", line, held=rows.select(HELD.names), dataset=AB)
    assert again["record_key"].to_pylist() == ["[1,2]"]
    assert again["content_hash"] == rows["content_hash"]


@needs_corpora
@pytest.mark.parametrize("path", sorted((CORPORA / "json").glob("*.json")), ids=lambda p: p.name)
def test_a_suite_of_json(path: Path) -> None:
    """y_ must be read, n_ must not: as the members of an array where they are no object."""
    content = path.read_bytes()
    line = content if content.lstrip().startswith(b"{") else b'{"a":' + content + b"}"
    reason = reason_of(line)
    if path.name.startswith("y_"):
        assert reason in (None, "duplicate_name")
    elif path.name.startswith("n_"):
        assert reason is not None
