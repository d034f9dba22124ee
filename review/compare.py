"""What differs between two builds: their manifests, and their tables in one DuckDB file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from review.build import Manifest, Side

if TYPE_CHECKING:
    import duckdb

SAMPLE_ROWS = 5
SAMPLE_COLUMNS = 5
TOLERANCE = 1e-9
"""Relative; sums of floats differ in the last digits when rows are added in another order."""
SLOWER_FACTOR, SLOWER_S = 2.0, 2.0
"""A build is called slower beyond both: below, it is noise of the machine."""

_BUILT = ("model", "seed", "snapshot")
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


@dataclass(frozen=True)
class RowCount:
    """Rows of one table; None where a side has no such table."""

    name: str
    is_mart: bool
    base: int | None
    pr: int | None


@dataclass(frozen=True)
class ColumnChange:
    """One column of one table: added, removed, retyped or renamed (same values on every key)."""

    model: str
    is_mart: bool
    kind: Literal["added", "removed", "retyped", "renamed"]
    before: str
    after: str


@dataclass(frozen=True)
class Sample:
    """Rows to look at: header and cells, all text."""

    title: Literal["lost", "added", "changed"]
    column: str
    """The changed one; empty for whole rows."""
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class ValueDiff:
    """Two tables compared row by row on their tested key."""

    name: str
    is_mart: bool
    key: Sequence[str]
    lost: int = 0
    added: int = 0
    changed: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    """Rows changed, by column."""
    samples: Sequence[Sample] = ()
    not_compared: str = ""
    """Why the rows could not be matched."""

    @property
    def is_different(self) -> bool:
        return bool(self.lost or self.added or self.changed or self.not_compared)


@dataclass(frozen=True)
class Node:
    """One box of the lineage."""

    id: str
    name: str
    kind: str
    marks: Sequence[str]
    """What is said of it: ``SQL``, ``new``, ``removed``, ``data``, …"""


@dataclass(frozen=True)
class BuildTime:
    name: str
    base_s: float | None
    pr_s: float

    @property
    def is_slower(self) -> bool:
        return (
            self.base_s is not None
            and self.pr_s > self.base_s * SLOWER_FACTOR
            and self.pr_s > self.base_s + SLOWER_S
        )


@dataclass(frozen=True)
class Coverage:
    """Descriptions of models and columns: how many there are, of how many."""

    described: int
    total: int


@dataclass(frozen=True)
class Comparison:
    """All that differs, and how much is the same."""

    tables_compared: int = 0
    edited: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Model → what of it was edited: ``SQL``, ``macro``, ``config``, …"""
    rows: Sequence[RowCount] = ()
    columns: Sequence[ColumnChange] = ()
    values: Sequence[ValueDiff] = ()
    contracts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Model → what its consumers lose."""
    keys_lost: Sequence[str] = ()
    tests_lost: Sequence[str] = ()
    tests_gained: Sequence[str] = ()
    undocumented: Sequence[str] = ()
    """``model.column`` of marts without a description, as the working tree has them."""
    docs_base: Coverage | None = None
    docs: Coverage | None = None
    exposures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Exposure → the changed tables it reads."""
    metrics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nodes: Sequence[Node] = ()
    edges: Sequence[tuple[str, str]] = ()
    times: Sequence[BuildTime] = ()

    @property
    def is_same(self) -> bool:
        return not (
            self.edited
            or self.columns
            or self.contracts
            or self.tests_lost
            or self.tests_gained
            or self.nodes
            or any(diff.is_different for diff in self.values)
        )


class _Tables:
    """The tables of one side, by unique id, as they are in the file."""

    def __init__(self, side: Side, connection: duckdb.DuckDBPyConnection) -> None:
        self.manifest: Manifest = side.manifest or {}
        self.nodes = {
            unique_id: node
            for unique_id, node in self.manifest.get("nodes", {}).items()
            if node["resource_type"] in _BUILT
        }
        found: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, data_type in connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            "order by table_name, column_index"
        ).fetchall():
            found.setdefault((schema.lower(), table.lower()), {})[column.lower()] = data_type
        self.columns: dict[str, dict[str, str]] = {}
        for unique_id, node in self.nodes.items():
            place = (node["schema"].lower(), (node["alias"] or node["name"]).lower())
            # A table that is there but was not built now would be another side's.
            if place in found and unique_id in side.seconds:
                self.columns[unique_id] = found[place]

    def relation(self, unique_id: str) -> str:
        node = self.nodes[unique_id]
        return f"{_quoted(node['schema'])}.{_quoted(node['alias'] or node['name'])}"

    def key(self, unique_id: str) -> list[str]:
        """Columns of the first test that calls them unique; those that are never null first."""
        unique, together, never_null = [], [], set()
        for test in _tests_of(self.manifest, unique_id):
            metadata = test["test_metadata"]
            column = str(metadata["kwargs"].get("column_name") or "").strip('"').lower()
            if metadata["name"] == "unique":
                unique.append(column)
            elif metadata["name"] == "not_null":
                never_null.add(column)
            elif metadata["name"] == "unique_together":
                together.append([str(name).lower() for name in metadata["kwargs"]["columns"]])
        singles = [[column] for column in unique if column in never_null]
        candidates = [*singles, *together, *([column] for column in unique)]
        return candidates[0] if candidates else []


def compare(base: Side | None, pr: Side, connection: duckdb.DuckDBPyConnection) -> Comparison:
    """Compare what the two sides built; ``base`` None: only what can be said of one side."""
    if pr.manifest is None:
        return Comparison()
    after = _Tables(pr, connection)
    docs = _docs(after)
    if base is None or base.manifest is None:
        return Comparison(
            rows=[
                RowCount(node["name"], _is_mart(node), None, _count(connection, after, unique_id))
                for unique_id, node in after.nodes.items()
                if unique_id in after.columns
            ],
            undocumented=_undocumented(after),
            docs=docs,
        )
    before = _Tables(base, connection)
    both = [unique_id for unique_id in before.columns if unique_id in after.columns]
    columns: list[ColumnChange] = []
    values: list[ValueDiff] = []
    for unique_id in both:
        diff, changes = _diff(connection, before, after, unique_id)
        values.append(diff)
        columns += changes
    edited = _edited(before, after)
    different = {
        unique_id: diff
        for unique_id, diff in zip(both, values, strict=True)
        if diff.is_different or any(change.model == diff.name for change in columns)
    }
    gone = [unique_id for unique_id in before.nodes if unique_id not in after.nodes]
    new = [unique_id for unique_id in after.nodes if unique_id not in before.nodes]
    affected = {*different, *gone, *new}
    exposures = _readers(before, after, affected, "exposures")
    nodes, edges = _lineage(before, after, edited, different, gone, new, exposures)
    tests_before, tests_after = _tests(before.manifest), _tests(after.manifest)
    marts_first = lambda item: (not item.is_mart, item.name)  # noqa: E731
    return Comparison(
        tables_compared=len(both),
        edited={after.nodes[i]["name"]: marks for i, marks in sorted(edited.items())},
        rows=sorted(_rows(connection, before, after), key=marts_first),
        columns=sorted(columns, key=lambda c: (not c.is_mart, c.model, c.kind, c.before)),
        values=sorted(values, key=marts_first),
        contracts=_contracts(before, after, columns),
        keys_lost=[
            after.nodes[i]["name"]
            for i in sorted(after.nodes)
            if i in before.nodes and before.key(i) and not after.key(i)
        ],
        tests_lost=sorted(tests_before - tests_after),
        tests_gained=sorted(tests_after - tests_before),
        undocumented=_undocumented(after),
        docs_base=_docs(before),
        docs=docs,
        exposures={_short_name(r): via for r, via in exposures.items()},
        metrics={
            _short_name(r): via
            for kind in ("metrics", "saved_queries")
            for r, via in _readers(before, after, affected, kind).items()
        },
        nodes=nodes,
        edges=edges,
        times=[
            BuildTime(after.nodes[i]["name"], base.seconds.get(i), seconds)
            for i, seconds in pr.seconds.items()
        ],
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, before: _Tables, after: _Tables
) -> Iterable[RowCount]:
    for unique_id in {**before.columns, **after.columns}:
        node = after.nodes.get(unique_id) or before.nodes[unique_id]
        is_failed = unique_id in after.nodes and unique_id not in after.columns
        if is_failed:
            continue  # not built: the problems say so, and no count is no zero
        yield RowCount(
            node["name"],
            _is_mart(node),
            _count(connection, before, unique_id) if unique_id in before.columns else None,
            _count(connection, after, unique_id) if unique_id in after.columns else None,
        )


def _diff(
    connection: duckdb.DuckDBPyConnection, before: _Tables, after: _Tables, unique_id: str
) -> tuple[ValueDiff, list[ColumnChange]]:
    node = after.nodes[unique_id]
    name, is_mart = node["name"], _is_mart(node)
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
        ColumnChange(name, is_mart, "retyped", f"{column} {old[column]}", new[column])
        for column in old
        if column in new and old[column] != new[column]
    ]
    tables = (before.relation(unique_id), after.relation(unique_id))
    reason = ""
    if not pairs:
        reason = "no tested key that both sides have"
    elif any(_has_twins(connection, t, [p[i] for p in pairs]) for i, t in enumerate(tables)):
        reason = "the key is not unique"
    renamed: dict[str, str] = {a: b for a, b in pairs if a != b}
    if not reason:
        renamed |= _renamed(connection, tables, pairs, old, new, removed, added)
    changes += [
        ColumnChange(name, is_mart, "renamed", f"{a} {old[a]}", b) for a, b in renamed.items()
    ]
    changes += [
        ColumnChange(name, is_mart, "removed", f"{column} {old[column]}", "")
        for column in removed
        if column not in renamed
    ]
    changes += [
        ColumnChange(name, is_mart, "added", "", f"{column} {new[column]}")
        for column in added
        if column not in renamed.values()
    ]
    if reason:
        same = not changes and _are_same_bags(connection, tables, [c for c in old if c in new])
        return ValueDiff(name, is_mart, [], not_compared="" if same else reason), changes
    compared = [
        (column, _is_different(column, old[column], new[column]))
        for column in old
        if column in new and column not in {a for a, _ in pairs}
    ]
    return _value_diff(connection, name, is_mart, tables, pairs, compared, list(new)), changes


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
        *(f"count(*) filter (where {is_both} and {condition})" for _, condition in compared),
    ]
    ((lost, added, changed, *by_column),) = connection.execute(
        f"select {', '.join(counts)} from {joined}"  # noqa: S608
    ).fetchall()
    columns = {column: n for (column, _), n in zip(compared, by_column, strict=True) if n}
    samples = []
    key = [p for _, p in pairs]
    if is_mart:
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
                    [f"{alias}.{_quoted(column)}" for column in shown],
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
                        *(f"p.{_quoted(part)}" for part in key),
                        f"b.{_quoted(column)}",
                        f"p.{_quoted(column)}",
                    ],
                    f"from {joined} where {is_both} and {conditions[column]}",
                    len(pairs),
                )
            )
    return ValueDiff(name, is_mart, key, lost, added, changed, columns, samples)


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
    on = " and ".join(f"b.{_quoted(a)} is not distinct from p.{_quoted(b)}" for a, b in pairs)
    return (
        f"(select *, true as is_here from {tables[0]}) as b "  # noqa: S608
        f"full join (select *, true as is_here from {tables[1]}) as p on {on}"
    )


def _is_different(column: str, old_type: str, new_type: str) -> str:
    """SQL that is true where a column's two values differ; a null is a value."""
    old, new = f"b.{_quoted(column)}", f"p.{_quoted(column)}"
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
        left, right = f"b.{_quoted(a)}", f"p.{_quoted(b)}"
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
    names = ", ".join(map(_quoted, columns))
    found = connection.execute(
        f"select 1 from {table} group by {names} having count(*) > 1 limit 1"  # noqa: S608
    )
    return found.fetchone() is not None


def _are_same_bags(
    connection: duckdb.DuckDBPyConnection, tables: tuple[str, str], columns: Sequence[str]
) -> bool:
    """The tables hold the same rows, however often."""
    names = ", ".join(map(_quoted, columns))
    ways = (tables, tables[::-1])
    return not any(
        connection.execute(
            f"select {names} from {a} except all select {names} from {b} limit 1"  # noqa: S608
        ).fetchone()
        for a, b in ways
    )


def _count(connection: duckdb.DuckDBPyConnection, tables: _Tables, unique_id: str) -> int:
    ((count,),) = connection.execute(
        f"select count(*) from {tables.relation(unique_id)}"  # noqa: S608
    ).fetchall()
    return int(count)


def _edited(before: _Tables, after: _Tables) -> dict[str, list[str]]:
    """What of each table was edited, from the manifests alone."""
    changed_macros = {
        name
        for name, macro in after.manifest["macros"].items()
        if macro["macro_sql"] != before.manifest["macros"].get(name, {}).get("macro_sql")
    }
    edited = {}
    for unique_id, new in after.nodes.items():
        old = before.nodes.get(unique_id)
        if old is None:
            continue
        marks = []
        if old["checksum"] != new["checksum"]:
            marks.append("rows" if new["resource_type"] == "seed" else "SQL")
        if changed_macros & _macros_of(after.manifest, new):
            marks.append("macro")
        if old["config"] != new["config"]:
            marks.append("config")
        if _declared(old) != _declared(new):
            marks.append("columns")
        if marks:
            edited[unique_id] = marks
    return edited


def _macros_of(manifest: Manifest, node: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(node["depends_on"].get("macros", []))
    while waiting:
        name = waiting.pop()
        if name not in found and name in manifest["macros"]:
            found.add(name)
            waiting += manifest["macros"][name]["depends_on"]["macros"]
    return found


def _declared(node: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Column → (type, constraints) as its yml declares them."""
    return {
        name.lower(): (
            str(column.get("data_type") or "").lower(),
            json.dumps(column.get("constraints") or [], sort_keys=True),
        )
        for name, column in node["columns"].items()
    }


def _contracts(
    before: _Tables, after: _Tables, changes: Sequence[ColumnChange]
) -> dict[str, list[str]]:
    renamed = {(c.model, c.before.split(" ")[0]): c.after for c in changes if c.kind == "renamed"}
    broken: dict[str, list[str]] = {}
    for unique_id, old in before.nodes.items():
        if not old.get("contract", {}).get("enforced"):
            continue
        name = old["name"]
        found = broken.setdefault(name, [])
        new = after.nodes.get(unique_id)
        if new is None:
            found.append("the model is gone")
            continue
        if not new.get("contract", {}).get("enforced"):
            found.append("the contract is no longer enforced")
        if old["config"].get("access") == "public" != new["config"].get("access"):
            found.append("the model is no longer public")
        declared = _declared(new)
        for column, (data_type, constraints) in _declared(old).items():
            if (name, column) in renamed:
                found.append(f"column {column} renamed to {renamed[name, column]}")
            elif column not in declared:
                found.append(f"column {column} removed")
            elif declared[column][0] != data_type:
                found.append(f"column {column} is {declared[column][0]}, was {data_type}")
            elif declared[column][1] != constraints:
                found.append(f"constraints of column {column} changed")
    return {name: found for name, found in sorted(broken.items()) if found}


def _tests_of(manifest: Manifest, unique_id: str) -> list[Mapping[str, Any]]:
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("attached_node") == unique_id
        and node.get("test_metadata")
    ]


def _tests(manifest: Manifest) -> set[str]:
    """Every test as a reader would name it; a weaker severity is another test."""
    found = {f"unit test {test['name']}" for test in manifest["unit_tests"].values()}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test":
            continue
        metadata = node.get("test_metadata")
        if not metadata:
            named = str(node["name"])
        else:
            arguments = {
                name: value
                for name, value in metadata["kwargs"].items()
                if name not in {"model", "column_name"}
            }
            model = (node.get("attached_node") or "").rsplit(".", 1)[-1]
            column = metadata["kwargs"].get("column_name")
            shown = ", ".join(f"{n}={_short(v)}" for n, v in sorted(arguments.items()))
            named = f"{metadata['name']} on {model}{f'.{column}' if column else ''}"
            named += f" ({shown})" if shown else ""
        config = node["config"]
        for option, normal in (("severity", "ERROR"), ("where", None), ("enabled", True)):
            value = config.get(option)
            if value != normal and str(value).upper() != str(normal):
                named += f", {option} {value}"
        found.add(named)
    return found


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _undocumented(tables: _Tables) -> list[str]:
    """Columns of marts that the table has and nobody described."""
    missing = []
    for unique_id, node in tables.nodes.items():
        if not _is_mart(node):
            continue
        described = {
            name.lower()
            for name, column in node["columns"].items()
            if (column.get("description") or "").strip()
        }
        present = tables.columns.get(unique_id) or [name.lower() for name in node["columns"]]
        missing += [f"{node['name']}.{column}" for column in present if column not in described]
    return sorted(missing)


def _docs(tables: _Tables) -> Coverage:
    described = [
        bool((thing.get("description") or "").strip())
        for node in tables.nodes.values()
        for thing in (node, *node["columns"].values())
    ]
    return Coverage(sum(described), len(described))


def _readers(
    before: _Tables, after: _Tables, affected: set[str], kind: str
) -> dict[str, list[str]]:
    """Unique id of an exposure or metric → the affected tables it reads."""
    found: dict[str, list[str]] = {}
    for tables in (before, after):
        for unique_id in tables.manifest[kind]:
            # An exposure's own tables; a metric's through its metrics and semantic models.
            reached: set[str] = set()
            waiting = list(tables.manifest["parent_map"].get(unique_id, []))
            while waiting:
                parent = waiting.pop()
                if parent in reached:
                    continue
                reached.add(parent)
                if not parent.startswith(_BUILT):
                    waiting += tables.manifest["parent_map"].get(parent, [])
            if via := sorted(_short_name(i) for i in reached & affected):
                found[unique_id] = via
    return dict(sorted(found.items()))


def _lineage(
    before: _Tables,
    after: _Tables,
    edited: Mapping[str, Sequence[str]],
    different: Mapping[str, ValueDiff],
    gone: Sequence[str],
    new: Sequence[str],
    exposures: Mapping[str, Sequence[str]],
) -> tuple[list[Node], list[tuple[str, str]]]:
    shown: dict[str, list[str]] = {}
    for unique_id, marks in edited.items():
        shown.setdefault(unique_id, []).extend(marks)
    for unique_id in different:
        shown.setdefault(unique_id, []).append("data")
    shown.update({unique_id: ["removed"] for unique_id in gone})
    shown.update({unique_id: ["new"] for unique_id in new})
    if shown:
        shown.update({unique_id: ["exposure"] for unique_id in exposures})
    edges = {
        (parent, child)
        for tables in (before, after)
        for child in shown
        for parent in tables.manifest["parent_map"].get(child, [])
        if parent in shown
    }
    nodes = [Node(i, _short_name(i), i.split(".")[0], marks) for i, marks in sorted(shown.items())]
    return nodes, sorted(edges)


def _is_mart(node: Mapping[str, Any]) -> bool:
    """What others may read: dbt calls it public."""
    return bool(node["config"].get("access") == "public")


def _short_name(unique_id: str) -> str:
    return unique_id.split(".", 2)[-1]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
