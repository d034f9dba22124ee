"""Profiles of pulls: exact against a plain count, bounded whatever comes, storable, comparable."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import bson
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.profile import MAX_FIELDS, MAX_TEXT, SAMPLED_ROWS, compare, in_words
from ingestion.profile import profile as profile_file


def profile(records: list[Any], rows: int | None = None) -> dict[str, dict[str, Any]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(orjson.dumps(record) for record in records))
        file.flush()
        return profile_file(Path(file.name), len(records) if rows is None else rows)


def test_a_profile() -> None:
    records = [
        {"uai": "0751706X", "rate": 86, "point": {"lon": 2.3}, "open": True},
        {"uai": "0752895P", "rate": 86.0, "point": None, "open": False},
        {"uai": None, "rate": -1.5, "tags": ["a"], "open": True},
    ]
    found = profile(records)
    base = {"rows": 3, "sampled_one_in": 1}
    empty = {"distinct": 0, "min": None, "max": None, "max_length": None}
    assert found == {
        "uai": base
        | {
            "nulls": 1,
            "types": {"text": 2},
            "distinct": 2,
            "min": "0751706X",
            "max": "0752895P",
            "max_length": 8,
        },
        "rate": base
        | {
            "nulls": 0,
            "types": {"number": 3},
            "distinct": 2,
            "min": -1.5,
            "max": 86,
            "max_length": None,
        },
        "point": base | empty | {"nulls": 2, "types": {"object": 1}},
        "open": base | empty | {"nulls": 0, "types": {"boolean": 3}, "distinct": 2},
        "tags": base | empty | {"nulls": 2, "types": {"array": 1}},
    }


def test_types_are_not_mixed_up() -> None:
    found = profile([{"a": value} for value in (1, 1.0, True, "1", "true", 0, False, None, "")])
    assert found["a"]["types"] == {"boolean": 2, "number": 3, "text": 3}
    assert found["a"]["distinct"] == 7
    assert (found["a"]["min"], found["a"]["max"]) == (0, 1)
    assert found["a"]["nulls"] == 1


def test_large_integers_stay_exact() -> None:
    found = profile([{"a": 2**63 - 1}, {"a": None}, {"a": -(2**63)}, {"a": 2**63 - 2}])
    assert (found["a"]["min"], found["a"]["max"]) == (-(2**63), 2**63 - 1)
    assert found["a"]["distinct"] == 3


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
pulls = st.lists(
    st.dictionaries(st.sampled_from("abc"), scalars | st.just([1]), max_size=3), max_size=12
)


@settings(max_examples=50, deadline=None)
@given(pulls)
def test_counts_are_exact(records: list[dict[str, Any]]) -> None:
    found = profile(records)
    assert found.keys() == {name for record in records for name in record}
    for name, field in found.items():
        values = [record.get(name) for record in records]
        present = [value for value in values if value is not None]
        assert field["rows"] == len(records)
        assert field["nulls"] == len(values) - len(present)
        assert sum(field["types"].values()) == len(present)
        hashable = [value for value in present if not isinstance(value, list)]
        assert field["distinct"] == len({(isinstance(v, bool), v) for v in hashable})
        numbers = [v for v in hashable if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers:
            assert (field["min"], field["max"]) == (min(numbers), max(numbers))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert bson.decode(bson.encode(found)) == found


def test_a_pull_without_records() -> None:
    assert profile([]) == {}
    assert profile([[1], "x"]) == {}


def test_long_texts_are_cut() -> None:
    (found,) = profile([{"a": "x" * 10_000}, {"a": "é" * MAX_TEXT}]).values()
    assert found["min"] == "x" * (MAX_TEXT - 1) + "…"
    assert found["max"] == "é" * MAX_TEXT
    assert found["max_length"] == 10_000
    assert found["distinct"] == 2


def test_a_portal_that_invents_names_does_not_fill_the_ledger() -> None:
    found = profile([{f"name {row}": row} for row in range(2_000)])
    assert len(found) == MAX_FIELDS
    assert len(bson.encode(found)) < 500_000


def test_a_large_pull_is_sampled_evenly_and_says_so() -> None:
    rows = 3 * SAMPLED_ROWS
    (found,) = profile([{"a": n} for n in range(rows)]).values()
    assert (found["sampled_one_in"], found["rows"]) == (3, SAMPLED_ROWS)
    assert (found["min"], found["max"]) == (0, rows - 3)
    (found,) = profile([{"a": 1}, {"a": 1}], SAMPLED_ROWS).values()
    assert (found["sampled_one_in"], found["rows"]) == (1, 2)


# --- comparing ------------------------------------------------------------------------------------


def changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = compare(profile(before), profile(after))
    assert json.loads(json.dumps(found)) == found
    return [tuple(change[k] for k in ("field", "what", "before", "after")) for change in found]


def test_nothing_to_compare_with() -> None:
    assert compare(None, profile([{"a": 1}])) == []
    assert compare({}, profile([{"a": 1}])) == []


def test_the_same_pull_does_not_differ() -> None:
    records = [{"a": n, "b": str(n), "c": None, "d": {"x": 1}, "e": 48.85} for n in range(50)]
    assert changes(records, list(reversed(records))) == []


def test_fields_that_come_and_go() -> None:
    assert changes([{"a": 1, "b": None}], [{"a": 1, "c": "x"}]) == [
        ("b", "vanished", "", ""),
        ("c", "appeared", "", "text"),
    ]


def test_types() -> None:
    assert changes([{"a": 1}], [{"a": "1"}]) == [("a", "types", "number", "text")]
    assert changes([{"a": 1}], [{"a": 1.5}]) == [("a", "range", "1…1", "1.5…1.5")]
    assert changes([{"a": 1}], [{"a": None}]) == [("a", "nulls", "0.0 %", "100.0 %")]


@pytest.mark.parametrize(("nulls", "is_change"), [(5, False), (6, True), (0, False)])
def test_share_of_nulls(nulls: int, is_change: bool) -> None:
    before = [{"a": 1}] * 100
    after = [{"a": None}] * nulls + [{"a": 1}] * (100 - nulls)
    assert changes(before, after) == [("a", "nulls", "0.0 %", f"{float(nulls)} %")] * is_change
    assert changes(after, before) == [("a", "nulls", f"{float(nulls)} %", "0.0 %")] * is_change


@pytest.mark.parametrize(
    ("before", "after", "is_change"),
    [(10, 20, True), (20, 10, True), (10, 19, False), (4, 9, False), (1, 10, True), (0, 10, True)],
)
def test_distinct(before: int, after: int, is_change: bool) -> None:
    found = changes(
        [{"a": str(n), "k": 0} for n in range(before)] or [{"a": "", "k": 0}],
        [{"a": str(n), "k": 0} for n in range(after)],
    )
    assert [change[:2] for change in found] == [("a", "distinct")] * is_change


def test_distinct_counts_that_cannot_be_compared_are_not() -> None:
    few = profile([{"a": str(n)} for n in range(100)])
    sampled = profile([{"a": str(n)} for n in range(30)], 2 * SAMPLED_ROWS)
    assert compare(few, sampled) == []


@pytest.mark.parametrize(
    ("value", "is_change"),
    [(100, False), (0, False), (101, False), (102, True), (-2, True), (-1, False), (50, False)],
)
def test_range(value: float, is_change: bool) -> None:
    before = [{"a": 0}, {"a": 100}]
    after = [{"a": 40}, {"a": value}]
    assert [change[:2] for change in changes(before, after)] == [("a", "range")] * is_change


def test_the_noise_of_coordinates_is_no_range() -> None:
    assert changes([{"a": 48.88933528450427}], [{"a": 48.88933528451}]) == []


def test_in_words() -> None:
    """In one line, names and types first; what is too much for a line is counted."""
    before = [{"a": 1, "b": 1, "gone": 1, "d": str(n), "z": 1} for n in range(20)]
    after = [{"a": 1, "b": None, "new": 1, "d": str(n % 10), "z": "1"} for n in range(20)]
    found = compare(profile(before), profile(after))
    assert in_words(found) == (
        "z types number → text, gone vanished, new appeared, b nulls 0.0 % → 100.0 %, "
        "d distinct 20 → 10"
    )
    two = compare(profile([{"a": 0}, {"a": 9}]), profile([{"a": 0}, {"a": 10}]))
    assert in_words(two) == "a range 0…9 → 0…10"
    assert in_words([*found, *two]).endswith("d distinct 20 → 10 and 1 more")
    assert in_words([]) == ""
