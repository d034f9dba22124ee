"""Rows and values: the same table as two sides built it, compared on its tested key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from review.findings import ColumnChange, Sample, ValueDiff
from review.tables import SAMPLE_ROWS, Tables, is_mart, quoted

if TYPE_CHECKING:
    import duckdb

SAMPLE_COLUMNS = 5
TOLERANCE = 1e-9
"""Relative; sums of floats differ in the last digits when rows are added in another order."""
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


def diff_table(
    connection: duckdb.DuckDBPyConnection, before: Tables, after: Tables, unique_id: str
) -> tuple[ValueDiff, list[ColumnChange]]:
    node = after.nodes[unique_id]
    name, is_public = node["name"], is_mart(node)
    old, new = dict(before.columns[unique_id]), dict(after.columns[unique_id])
    key = after.key(unique_id) or before.key(unique_id)
    if node["resource_type"] == "snapshot":
        # dbt's own columns hold the moment of the build and hashes of it: never equal.
        key = [column for column in _snapshot_key(node) if column in old and column in new]
        old, new = _without_dbt_columns(old), _without_dbt_columns(new)
    removed = [column for column in old if column not in new]
    added = [column for column in new if column not in old]
    pairs = _key_pairs(before.key(unique_id), key, old, new)
    changes = [
        ColumnChange(name, is_public, "retyped", f"{column} {old[column]}", new[column])
        for column in old
        if column in new and old[column] != new[column]
    ]
    tables = (before.relation(unique_id), after.relation(unique_id))
    reason = ""
    if not pairs:
        reason = "no tested key that both sides have"
    elif any(_has_twins(connection, t, [p[i] for p in pairs]) for i, t in enumerate(tables)):
        reason = "the key is not unique" + _twins(connection, tables[1], [b for _, b in pairs])
    renamed: dict[str, str] = {a: b for a, b in pairs if a != b}
    if not reason:
        renamed |= _renamed(connection, tables, pairs, old, new, removed, added)
    changes += [
        ColumnChange(name, is_public, "renamed", f"{a} {old[a]}", b) for a, b in renamed.items()
    ]
    changes += [
        ColumnChange(name, is_public, "removed", f"{column} {old[column]}", "")
        for column in removed
        if column not in renamed
    ]
    changes += [
        ColumnChange(name, is_public, "added", "", f"{column} {new[column]}")
        for column in added
        if column not in renamed.values()
    ]
    if reason:
        same = not changes and _are_same_bags(connection, tables, [c for c in old if c in new])
        return ValueDiff(name, is_public, [], not_compared="" if same else reason), changes
    compared = [
        (column, _is_different(column, old[column], new[column]))
        for column in old
        if column in new and column not in {a for a, _ in pairs}
    ]
    is_seed = node["resource_type"] == "seed"
    shown = list(new) if is_public or is_seed else []
    return _value_diff(connection, name, is_public, tables, pairs, compared, shown), changes


def _value_diff(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    is_mart: bool,
    tables: tuple[str, str],
    pairs: Sequence[tuple[str, str]],
    compared: Sequence[tuple[str, str]],
    order: Sequence[str],
) -> ValueDiff:
    joined = _joined(tables, pairs)
    is_both = "b.is_here and p.is_here"
    any_changed = " or ".join(f"({condition})" for _, condition in compared) or "false"
    counts = [
        "count(*) filter (where p.is_here is null)",
        "count(*) filter (where b.is_here is null)",
        f"count(*) filter (where {is_both} and ({any_changed}))",
        "count(b.is_here)",
        *(f"count(*) filter (where {is_both} and {condition})" for _, condition in compared),
    ]
    ((lost, added, changed, rows, *by_column),) = connection.execute(
        f"select {', '.join(counts)} from {joined}"  # noqa: S608
    ).fetchall()
    columns = {column: n for (column, _), n in zip(compared, by_column, strict=True) if n}
    samples = []
    key = [p for _, p in pairs]
    if order:
        others = [c for c in order if c not in key][: SAMPLE_COLUMNS - 1]
        title: Literal["lost", "added"]
        for title, count, side, other in (("lost", lost, 0, "p"), ("added", added, 1, "b")):
            if not count:
                continue
            alias = "bp"[side]
            shown = [pair[side] for pair in pairs]
            shown += [c for c in others if side == 1 or c in dict(compared)]
            samples.append(
                _sample(
                    connection,
                    title,
                    "",
                    shown,
                    [f"{alias}.{quoted(column)}" for column in shown],
                    f"from {joined} where {other}.is_here is null",
                    len(pairs),
                )
            )
        conditions = dict(compared)
        for column in sorted(columns, key=lambda c: -columns[c])[:SAMPLE_COLUMNS]:
            samples.append(
                _sample(
                    connection,
                    "changed",
                    column,
                    [*key, f"{column}, base", f"{column}, PR"],
                    [
                        *(f"p.{quoted(part)}" for part in key),
                        f"b.{quoted(column)}",
                        f"p.{quoted(column)}",
                    ],
                    f"from {joined} where {is_both} and {conditions[column]}",
                    len(pairs),
                )
            )
    largest = _largest(connection, joined, columns)
    return ValueDiff(name, is_mart, key, lost, added, changed, columns, rows, largest, samples)


def _largest(
    connection: duckdb.DuckDBPyConnection, joined: str, columns: Mapping[str, int]
) -> dict[str, float]:
    """Largest change of each changed column that holds numbers on both sides."""
    if not columns:
        return {}
    terms = [
        f"max(abs(try_cast(cast(b.{quoted(c)} as varchar) as double)"
        f" - try_cast(cast(p.{quoted(c)} as varchar) as double)))"
        for c in columns
    ]
    (found,) = connection.execute(
        f"select {', '.join(terms)} from {joined} where b.is_here and p.is_here"  # noqa: S608
    ).fetchall()
    return {c: value for c, value in zip(columns, found, strict=True) if value is not None}


def _sample(
    connection: duckdb.DuckDBPyConnection,
    title: Literal["lost", "added", "changed"],
    column: str,
    header: Sequence[str],
    columns: Sequence[str],
    source: str,
    key_width: int,
) -> Sample:
    shown = ", ".join(f"cast({expression} as varchar)" for expression in columns)
    order = ", ".join(columns[:key_width])
    rows = connection.execute(
        f"select {shown} {source} order by {order} limit {SAMPLE_ROWS}"
    ).fetchall()
    cells = [["null" if value is None else str(value) for value in row] for row in rows]
    return Sample(title, column, header, cells)


def _joined(tables: tuple[str, str], pairs: Sequence[tuple[str, str]]) -> str:
    on = " and ".join(f"b.{quoted(a)} is not distinct from p.{quoted(b)}" for a, b in pairs)
    return (
        f"(select *, true as is_here from {tables[0]}) as b "  # noqa: S608
        f"full join (select *, true as is_here from {tables[1]}) as p on {on}"
    )


def _is_different(column: str, old_type: str, new_type: str) -> str:
    """SQL that is true where a column's two values differ; a null is a value."""
    old, new = f"b.{quoted(column)}", f"p.{quoted(column)}"
    if old_type in _FLOATS and new_type in _FLOATS:
        scale = f"greatest(abs({old}), abs({new}))"
        return f"coalesce(abs({old} - {new}) > {TOLERANCE} * {scale}, {old} is distinct from {new})"
    if old_type != new_type:
        # 86 and 86.0 are one value; what is no number is compared as text
        numbers = (f"try_cast({old} as double)", f"try_cast({new} as double)")
        texts = (f"cast({old} as varchar)", f"cast({new} as varchar)")
        return f"coalesce({numbers[0]} <> {numbers[1]}, {texts[0]} is distinct from {texts[1]})"
    return f"{old} is distinct from {new}"


def _renamed(
    connection: duckdb.DuckDBPyConnection,
    tables: tuple[str, str],
    pairs: Sequence[tuple[str, str]],
    old: Mapping[str, str],
    new: Mapping[str, str],
    removed: Sequence[str],
    added: Sequence[str],
) -> dict[str, str]:
    """Removed column → added column of the same type and values on every row both sides have."""
    keys = {part for pair in pairs for part in pair}
    candidates = [
        (a, b)
        for a in removed
        for b in added
        if old[a] == new[b] and a not in keys and b not in keys
    ]
    if not candidates:
        return {}
    terms = []
    for a, b in candidates:
        left, right = f"b.{quoted(a)}", f"p.{quoted(b)}"
        is_both = "b.is_here and p.is_here"
        terms.append(
            f"count(*) filter (where {is_both} and {left} is distinct from {right}) = 0 "
            f"and count(*) filter (where {is_both} and {left} is not null) > 0"
        )
    (found,) = connection.execute(
        f"select {', '.join(terms)} from {_joined(tables, pairs)}"  # noqa: S608
    ).fetchall()
    same = [pair for pair, is_same in zip(candidates, found, strict=True) if is_same]
    # Where two columns fit, nothing says which it is: then they are removed and added.
    return {
        a: b
        for a, b in same
        if sum(a == x for x, _ in same) == 1 and sum(b == y for _, y in same) == 1
    }


def _key_pairs(
    old_key: Sequence[str], key: Sequence[str], old: Mapping[str, str], new: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The key as (base, PR) columns; one column of it may have been renamed."""
    pairs = [(column, column) for column in key if column in old and column in new]
    rest = [column for column in key if column not in old or column not in new]
    if not rest:
        return pairs
    gone = [column for column in old_key if column not in key and column not in new]
    is_one = len(rest) == len(gone) == 1 and len(old_key) == len(key)
    if is_one and gone[0] in old and rest[0] in new:
        return [*pairs, (gone[0], rest[0])]
    return []


def _without_dbt_columns(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in columns.items() if not name.startswith("dbt_")}


def _snapshot_key(node: Mapping[str, Any]) -> list[str]:
    unique_key = node["config"].get("unique_key") or []
    return [unique_key] if isinstance(unique_key, str) else list(unique_key)


def _has_twins(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> bool:
    names = ", ".join(map(quoted, columns))
    found = connection.execute(
        f"select 1 from {table} group by {names} having count(*) > 1 limit 1"  # noqa: S608
    )
    return found.fetchone() is not None


def _twins(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> str:
    """The key with the most rows, to be shown; empty where no key of the working tree has two."""
    names = ", ".join(map(quoted, columns))
    found = connection.execute(
        f"select count(*), {names} from {table} group by {names} having count(*) > 1 "  # noqa: S608
        f"order by 1 desc, {names} limit 1"
    ).fetchone()
    if found is None:
        return ""
    shown = ", ".join(f"{c} {v}" for c, v in zip(columns, found[1:], strict=True))
    return f": {shown} has {found[0]} rows"


def _are_same_bags(
    connection: duckdb.DuckDBPyConnection, tables: tuple[str, str], columns: Sequence[str]
) -> bool:
    """The tables hold the same rows, however often."""
    names = ", ".join(map(quoted, columns))
    ways = (tables, tables[::-1])
    return not any(
        connection.execute(
            f"select {names} from {a} except all select {names} from {b} limit 1"  # noqa: S608
        ).fetchone()
        for a, b in ways
    )
