"""A profile of each pull, small enough for the ledger, and what differs from the pull before it.

It answers "does this pull look like the last one?" for a person; nothing is decided by it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

PROFILED_ROWS = 100_000
"""A larger pull is profiled by every n-th row, so that it costs seconds and not minutes."""
MAX_FIELDS = 500
MAX_NAME_LENGTH = 200
MAX_DISTINCT = 10_000
"""Distinct values are counted exactly up to here."""
MAX_TEXT = 60
"""Longer least and greatest texts are cut, in characters."""

NULL_POINTS = 5.0
"""A share of nulls that moves by more percentage points than this is a change."""
DISTINCT_FACTOR = 2.0
DISTINCT_LEAST = 10
"""Distinct values that halve or double are a change, from this many on."""
RANGE_SHARE = 0.01
"""A number that leaves the range of the pull before by more than this share of it is a change."""

MOST_TOLD = 5
"""Changes that `in_words` tells before it counts the rest."""

_TYPES = {
    str: "text",
    int: "number",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}


class Profiler:
    """Builds the profile of one pull, page by page, in constant memory.

    Args:
        expected_rows: what the portal announced; beyond `PROFILED_ROWS`, rows are sampled evenly.
    """

    def __init__(self, expected_rows: int = 0) -> None:
        self._one_in = max(1, -(-expected_rows // PROFILED_ROWS))
        self._skip = 0
        self._rows = 0
        self._fields: dict[str, _Field] = {}
        self._is_cut = False

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Take in the next records of the pull, in any number."""
        sample = records[self._skip :: self._one_in]
        self._skip = (self._skip - len(records)) % self._one_in
        if not sample:
            return
        import pandas as pd

        self._find_fields(sample)
        self._rows += len(sample)
        # The columns are named, so that a portal that invents names cannot fill the memory; the
        # values stay the objects they are, so that 1, "1" and true are told apart.
        frame = pd.DataFrame(sample, columns=list(self._fields), dtype=object)
        for name, profiled in self._fields.items():
            profiled.add(frame[name])

    def result(self) -> dict[str, dict[str, Any]]:
        """The profile: field name → what its values are like.

        Each has `rows` (profiled), `sampled_one_in` (1: all of the pull), `nulls` (null or absent),
        `types` (JSON type → rows, without nulls), `distinct` (of texts, numbers and booleans) with
        `is_distinct_capped`, `min` and `max` (of the numbers, else of the texts, by code point),
        and `max_length` (of the texts, in characters). Objects and arrays count as types only.
        All of it can be stored as JSON and as BSON.
        """
        return {
            name: {"rows": self._rows, "sampled_one_in": self._one_in} | profiled.result()
            for name, profiled in self._fields.items()
        }

    def _find_fields(self, sample: Sequence[Mapping[str, Any]]) -> None:
        for name in dict.fromkeys(chain.from_iterable(sample)):
            if name in self._fields:
                continue
            if len(self._fields) < MAX_FIELDS and len(name) <= MAX_NAME_LENGTH:
                self._fields[name] = _Field(nulls=self._rows)
            elif not self._is_cut:
                self._is_cut = True
                logger.warning("more fields than %d, or longer names: not profiled", MAX_FIELDS)


@dataclass
class _Field:
    nulls: int
    types: Counter[str] = field(default_factory=Counter)
    values: set[Any] = field(default_factory=set)
    numbers: tuple[float, float] | None = None
    texts: tuple[str, str] | None = None
    max_length: int | None = None

    def add(self, column: pd.Series[Any]) -> None:
        present = column.dropna()
        self.nulls += len(column) - len(present)
        kinds = Counter(map(type, present))
        for kind, rows in kinds.items():
            self.types[_TYPES[kind]] += rows
            if kind in (str, int, float, bool):
                is_only_kind = rows == len(present)
                self._add_scalars(
                    kind, present if is_only_kind else present[[type(v) is kind for v in present]]
                )

    def _add_scalars(self, kind: type, values: pd.Series[Any]) -> None:
        distinct = values.unique().tolist()
        if len(self.values) <= MAX_DISTINCT:
            # A text by its hash, whatever its length; true is not 1.
            self.values.update(distinct if kind in (int, float) else map(hash, map(repr, distinct)))
        if kind is str:
            self.texts = _widened(self.texts, min(distinct), max(distinct))
            self.max_length = max(self.max_length or 0, *map(len, distinct))
        elif kind is not bool:
            self.numbers = _widened(self.numbers, min(distinct), max(distinct))

    def result(self) -> dict[str, Any]:
        extremes = self.numbers or self.texts or (None, None)
        return {
            "nulls": self.nulls,
            "types": dict(sorted(self.types.items())),
            "distinct": min(len(self.values), MAX_DISTINCT),
            "is_distinct_capped": len(self.values) > MAX_DISTINCT,
            "min": _cut(extremes[0]),
            "max": _cut(extremes[1]),
            "max_length": self.max_length,
        }


def compare_profiles(
    before: Mapping[str, Mapping[str, Any]] | None, after: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What differs between two profiles of one dataset, beyond the thresholds of this module.

    Args:
        before: the earlier profile; None or empty: there is nothing to compare with.
        after: the later one.

    Returns:
        `{field, what, before, after}`, where `what` is `appeared`, `vanished`, `types` (lists of
        JSON types), `nulls` (percent of rows), `distinct` (counts) or `range` ([min, max]).
    """
    changes: list[dict[str, Any]] = []
    if not before:
        return changes

    def note(name: str, what: str, was: Any, now: Any) -> None:
        changes.append({"field": name, "what": what, "before": was, "after": now})

    for name in before.keys() - after.keys():
        note(name, "vanished", _present_types(before[name]), None)
    for name in after.keys() - before.keys():
        note(name, "appeared", None, _present_types(after[name]))
    for name in before.keys() & after.keys():
        was, now = before[name], after[name]
        # A field that became all null has lost its types by that alone.
        types = _present_types(was), _present_types(now)
        if types[0] != types[1] and all(types):
            note(name, "types", *types)
        shares = _null_pct(was), _null_pct(now)
        if abs(shares[1] - shares[0]) > NULL_POINTS:
            note(name, "nulls", *shares)
        if _distinct_changed(was, now):
            note(name, "distinct", was["distinct"], now["distinct"])
        if _left_range(was, now):
            note(name, "range", [was["min"], was["max"]], [now["min"], now["max"]])
    return sorted(changes, key=lambda change: (change["field"], change["what"]))


def in_words(changes: Sequence[Mapping[str, Any]]) -> str:
    """The changes of `compare_profiles` in one line, those of names and types first.

    For example `ips number → number/text, secteur vanished, uai 0.0 → 12.5 % null and 2 more`.
    """
    order = list(_WORDS)
    told = [
        f"{_cut(change['field'])} {_WORDS[change['what']](change['before'], change['after'])}"
        for change in sorted(changes, key=lambda change: order.index(change["what"]))
    ]
    rest = len(told) - MOST_TOLD
    return ", ".join(told[:MOST_TOLD]) + (f" and {rest} more" if rest > 0 else "")


_WORDS: dict[str, Callable[[Any, Any], str]] = {
    "types": lambda was, now: f"{'/'.join(was)} → {'/'.join(now)}",
    "vanished": lambda *_: "vanished",
    "appeared": lambda *_: "appeared",
    "nulls": lambda was, now: f"{was} → {now} % null",
    "distinct": lambda was, now: f"{was} → {now} distinct",
    "range": lambda was, now: f"{was[0]}…{was[1]} → {now[0]}…{now[1]}",
}


def _widened(known: tuple[Any, Any] | None, least: Any, greatest: Any) -> tuple[Any, Any]:
    return (least, greatest) if known is None else (min(known[0], least), max(known[1], greatest))


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[: MAX_TEXT - 1] + "…"
    return value


def _present_types(profile: Mapping[str, Any]) -> list[str]:
    return sorted(profile["types"])


def _null_pct(profile: Mapping[str, Any]) -> float:
    return round(100 * float(profile["nulls"]) / max(1, int(profile["rows"])), 1)


def _distinct_changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    is_comparable = was["sampled_one_in"] == now["sampled_one_in"] and not (
        was["is_distinct_capped"] or now["is_distinct_capped"]
    )
    least, most = sorted([int(was["distinct"]), int(now["distinct"])])
    return is_comparable and most >= DISTINCT_LEAST and most >= DISTINCT_FACTOR * least


def _left_range(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    extremes = (was["min"], was["max"], now["min"], now["max"])
    if any(not isinstance(value, int | float) for value in extremes):
        return False
    low, high, new_low, new_high = extremes
    # Coordinates of one point differ from the eleventh decimal on: not even a range of none is left
    # by that.
    margin = max(RANGE_SHARE * (high - low), 1e-9 * max(abs(low), abs(high)))
    return bool(new_low < low - margin or new_high > high + margin)
