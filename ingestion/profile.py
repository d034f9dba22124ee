"""A profile of each pull, small enough for the ledger, and how it differs from the one before.

It answers "does this pull look like the last one?" for a person; nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

SAMPLED_ROWS = 15_000
SAMPLED_BYTES = 64 * 1024 * 1024
"""A larger pull is profiled by every n-th row, so that it costs about a second."""
MAX_FIELDS = 500
MAX_TEXT = 60
"""Longer least and greatest texts are cut, in characters."""
NULL_POINTS = 5.0
"""A share of nulls that moves by more percentage points than this is a change."""
DISTINCT_LEAST = 10
"""Distinct values that halve or double are a change, from this many on."""
RANGE_SHARE = 0.01
"""A number that leaves the range of the pull before by more than this share of it is a change."""
MOST_TOLD = 5

_TYPES = {str: "text", int: "number", float: "number", bool: "boolean", dict: "object"}
_ORDER = ("types", "vanished", "appeared", "nulls", "distinct", "range")


def profile(path: Path, rows: int) -> dict[str, dict[str, Any]]:
    """The profile of a pull.

    Args:
        path: its file, one record per line; lines that are no record are left out.
        rows: how many it holds.

    Returns:
        Field name → `rows` (profiled), `sampled_one_in` (1: all), `nulls` (null or absent), `types`
        (JSON type → rows), `distinct` (texts, numbers, booleans), `min` and `max` (of the numbers,
        else of the texts, by code point), `max_length` (of the texts, in characters).
    """
    import pandas as pd

    one_in = max(1, -(-rows // SAMPLED_ROWS), -(-path.stat().st_size // SAMPLED_BYTES))
    records = []
    with path.open("rb") as file:
        for line in islice(file, 0, None, one_in):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict):
                records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))[:MAX_FIELDS]
    # As objects: 1, "1" and true stay what they are.
    frame = pd.DataFrame(records, columns=names, dtype=object)
    return {
        name: {"rows": len(records), "sampled_one_in": one_in} | _of_field(frame[name])
        for name in names
    }


def _of_field(column: Any) -> dict[str, Any]:
    present = column.dropna()
    kinds = present.map(type).map(_TYPES).fillna("array")
    types = {kind: int(rows) for kind, rows in sorted(kinds.value_counts().items())}
    numbers, texts = present[kinds == "number"], present[kinds == "text"]
    ranged = numbers if len(numbers) else texts
    return {
        "nulls": len(column) - len(present),
        "types": types,
        "distinct": sum(
            present[kinds == kind].nunique()
            for kind in ("number", "text", "boolean")
            if kind in types
        ),
        "min": _cut(ranged.min()) if len(ranged) else None,
        "max": _cut(ranged.max()) if len(ranged) else None,
        "max_length": int(texts.str.len().max()) if len(texts) else None,
    }


def compare(
    before: Mapping[str, Mapping[str, Any]] | None, after: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What differs between two profiles of one dataset, beyond the thresholds of this module.

    Returns:
        `{field, what, before, after}`, where `what` is `appeared`, `vanished`, `types`, `nulls`,
        `distinct` or `range`, and before and after are for a person to read.
    """
    changes: list[tuple[Any, ...]] = []
    for name in sorted({*before, *after}) if before else ():
        was, now = (before or {}).get(name), after.get(name)
        if was is None or now is None:
            what = "appeared" if was is None else "vanished"
            changes.append((name, what, _kinds(was), _kinds(now)))  # one of them is empty
            continue
        # A field that became all null has lost its types by that alone.
        if _kinds(was) and _kinds(now) and _kinds(was) != _kinds(now):
            changes.append((name, "types", _kinds(was), _kinds(now)))
        if abs(_null_pct(now) - _null_pct(was)) > NULL_POINTS:
            changes.append((name, "nulls", f"{_null_pct(was)} %", f"{_null_pct(now)} %"))
        least, most = sorted([was["distinct"], now["distinct"]])
        is_comparable = was["sampled_one_in"] == now["sampled_one_in"]
        if is_comparable and most >= DISTINCT_LEAST and most >= 2 * least:
            changes.append((name, "distinct", was["distinct"], now["distinct"]))
        if _left_range(was, now):
            changes.append((name, "range", *(f"{s['min']}…{s['max']}" for s in (was, now))))
    return [dict(zip(("field", "what", "before", "after"), c, strict=True)) for c in changes]


def in_words(changes: Sequence[Mapping[str, Any]]) -> str:
    """The changes of `compare` in one line, those of types and names first."""
    told = [
        f"{_cut(change['field'])} {change['what']}"
        + (
            f" {change['before']} → {change['after']}"
            if change["before"] and change["after"]
            else ""
        )
        for change in sorted(changes, key=lambda change: _ORDER.index(change["what"]))
    ]
    rest = len(told) - MOST_TOLD
    return ", ".join(told[:MOST_TOLD]) + (f" and {rest} more" if rest > 0 else "")


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_TEXT
    return value[: MAX_TEXT - 1] + "…" if is_long else value


def _kinds(of: Mapping[str, Any] | None) -> str:
    return "/".join(of["types"]) if of else ""


def _null_pct(of: Mapping[str, Any]) -> float:
    return round(100 * float(of["nulls"]) / max(1, int(of["rows"])), 1)


def _left_range(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    extremes = (was["min"], was["max"], now["min"], now["max"])
    if any(not isinstance(value, int | float) for value in extremes):
        return False
    low, high, new_low, new_high = extremes
    # Coordinates of one point differ from the eleventh decimal on: even one value has a margin.
    margin = max(RANGE_SHARE * (high - low), 1e-9 * max(abs(low), abs(high)))
    return bool(new_low < low - margin or new_high > high + margin)
