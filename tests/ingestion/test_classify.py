"""What a pull changes, by the keys and hashes of what is held and what came."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest

from ingestion.classify import (
    CHANGED,
    CONFLICT,
    COPY,
    NEW,
    RESTORED,
    UNCHANGED,
    classify,
    current,
    present,
)  # fmt: skip

Rows = Sequence[tuple[str, str | None]]


def table(rows: Rows) -> pa.Table:
    columns = ([key for key, _ in rows], [content for _, content in rows])
    names = ["record_key", "content_hash"]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=names)


HELD: Rows = [("a", "1"), ("b", "1"), ("c", None), ("d", "1"), ("e", None)]
"""``c`` and ``e`` are withdrawn."""


@pytest.mark.parametrize(
    ("came", "kinds", "missing"),
    [
        ([], [], ["a", "b", "d"]),
        ([("a", "1"), ("b", "2"), ("c", "1"), ("f", "1")],
         [UNCHANGED, CHANGED, RESTORED, NEW], ["d"]),
        ([("d", "1"), ("b", "1"), ("a", "1")], [UNCHANGED] * 3, []),
        # The same record twice is one; two contents under one key cannot both be believed, and
        # the record is not missing either.
        ([("f", "1"), ("f", "1"), ("a", "1")], [NEW, COPY, UNCHANGED], ["b", "d"]),
        ([("a", "1"), ("a", "2"), ("a", "1")], [CONFLICT] * 3, ["b", "d"]),
    ],
)  # fmt: skip
def test_classify(came: Rows, kinds: list[int], missing: list[str]) -> None:
    found, gone = classify(table(HELD), table(came))
    assert (found.tolist(), gone) == (kinds, missing)


def test_nothing_is_held() -> None:
    found, gone = classify(table([]), table([("a", "1"), ("b", "1")]))
    assert (found.tolist(), gone) == ([NEW, NEW], [])


def test_classify_agrees_with_a_dictionary() -> None:
    """Thousands of random records, against the same rules written with Python's own types."""
    chance = random.Random(7)
    held = {f"k{n}": chance.choice(["1", "2", None]) for n in range(3000)}
    keys = chance.sample([f"k{n}" for n in range(4000)], 2500)
    came = {key: chance.choice(["1", "2"]) for key in keys}

    def kind(key: str, content: str) -> int:
        if key not in held:
            return NEW
        before = held[key]
        if before is None:
            return RESTORED
        return UNCHANGED if before == content else CHANGED

    found, gone = classify(table(list(held.items())), table(list(came.items())))
    assert found.tolist() == [kind(*row) for row in came.items()]
    assert gone == [key for key, content in held.items() if content and key not in came]


def test_the_latest_version_of_each_record() -> None:
    """As the index has them, a record's latest first; a run that did not finish counts nothing."""
    versions = pa.table(
        {
            "record_key": ["a", "a", "b", "b", "c"],
            "run_sequence": [3, 1, 2, 1, 3],
            "content_hash": ["x", "old", None, "old", "x"],
        }
    )
    latest = current(versions, [1, 2])
    assert latest["record_key"].to_pylist() == ["a", "b"]
    assert latest["content_hash"].to_pylist() == ["old", None]
    assert present(latest)["record_key"].to_pylist() == ["a"]
    assert current(versions, [3])["record_key"].to_pylist() == ["a", "c"]
    assert current(versions, []).num_rows == 0
