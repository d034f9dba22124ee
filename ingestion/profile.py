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
MAX_TEXT = 60  # longer texts are cut
# A change is: a share of nulls that moves by more points, distinct values (from so many on) that
# halve or double, a number that leaves the range before by more than this share of it.
NULL_POINTS, DISTINCT_LEAST, RANGE_SHARE = 5.0, 10, 0.01
MOST_TOLD = 5
_TYPES = {str: "text", int: "number", float: "number", bool: "boolean", dict: "object"}
_ORDER = ("types", "vanished", "appeared", "nulls", "distinct", "range")


def profile(path: Path, rows: int) -> dict[str, dict[str, Any]]:
    """The profile of a pull, from its file of `rows` lines; lines that are no record are left out.

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
                records.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
    records = [record for record in records if isinstance(record, dict)]
    names = list(dict.fromkeys(name for record in records for name in record))[:MAX_FIELDS]
    # As objects: 1, "1" and true stay what they are.
    frame = pd.DataFrame(records, columns=names, dtype=object)
    of_all = {"rows": len(records), "sampled_one_in": one_in}
    return {name: of_all | _of_field(frame[name]) for name in names}


def _of_field(column: Any) -> dict[str, Any]:
    present = column.dropna()
    kinds = present.map(type).map(_TYPES).fillna("array")
    types = {kind: int(rows) for kind, rows in sorted(kinds.value_counts().items())}
    scalars = [kind for kind in types if kind not in ("object", "array")]
    texts = present[kinds == "text"]
    ranged = present[kinds == "number"] if "number" in types else texts
    return {
        "nulls": len(column) - len(present),
        "types": types,
        "distinct": sum(present[kinds == kind].nunique() for kind in scalars),
        "min": _cut(ranged.min()) if len(ranged) else None,
        "max": _cut(ranged.max()) if len(ranged) else None,
        "max_length": int(texts.str.len().max()) if len(texts) else None,
    }


def compare(
    before: Mapping[str, Mapping[str, Any]] | None, after: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What differs between two profiles of one dataset: `{field, what, before, after}`, where
    `what` is `appeared`, `vanished`, `types`, `nulls`, `distinct` or `range`, the rest in words.
    """
    changes: list[tuple[Any, ...]] = []
    for name in sorted({*before, *after}) if before else ():
        was, now = (before or {}).get(name), after.get(name)
        kinds = ["/".join(side["types"]) if side else "" for side in (was, now)]
        if was is None or now is None:
            changes.append((name, "appeared" if was is None else "vanished", *kinds))
            continue
        if all(kinds) and kinds[0] != kinds[1]:  # all null now: it has lost its types by that alone
            changes.append((name, "types", *kinds))
        shares = [round(100 * side["nulls"] / max(1, side["rows"]), 1) for side in (was, now)]
        if abs(shares[1] - shares[0]) > NULL_POINTS:
            changes.append((name, "nulls", *(f"{share} %" for share in shares)))
        least, most = sorted([was["distinct"], now["distinct"]])
        is_comparable = was["sampled_one_in"] == now["sampled_one_in"]
        if is_comparable and most >= DISTINCT_LEAST and most >= 2 * least:
            changes.append((name, "distinct", was["distinct"], now["distinct"]))
        if _left_range(was["min"], was["max"], now["min"], now["max"]):
            changes.append((name, "range", *(f"{s['min']}…{s['max']}" for s in (was, now))))
    return [dict(zip(("field", "what", "before", "after"), c, strict=True)) for c in changes]


def in_words(changes: Sequence[Mapping[str, Any]]) -> str:
    """The changes of `compare` in one line, those of types and names first."""
    told = []
    for change in sorted(changes, key=lambda change: _ORDER.index(change["what"])):
        sides = (change["before"], change["after"])
        told.append(f"{_cut(change['field'])} {change['what']}")
        if all(sides):
            told[-1] += f" {sides[0]} → {sides[1]}"
    rest = len(told) - MOST_TOLD
    return ", ".join(told[:MOST_TOLD]) + (f" and {rest} more" if rest > 0 else "")


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_TEXT
    return value[: MAX_TEXT - 1] + "…" if is_long else value


def _left_range(low: Any, high: Any, *new: Any) -> bool:
    if any(not isinstance(value, int | float) for value in (low, high, *new)):
        return False
    # Coordinates of one point differ from the eleventh decimal on: even one value has a margin.
    margin = max(RANGE_SHARE * (high - low), 1e-9 * max(abs(low), abs(high)))
    return bool(new[0] < low - margin or new[1] > high + margin)
