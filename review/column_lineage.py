"""Which tables read the very column, and which of their columns are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from review.tables import Tables


class Readers(NamedTuple):
    """Who reads a column, as far as their SQL could be taken apart."""

    found: dict[str, list[str]]
    """Name of a model or snapshot → those of its columns that are made of the column. None of
    them: it is read in a join, a filter or an order."""
    unread: list[str]
    """Names of those whose SQL could not be taken apart; what reads only them is not looked for."""


def column_readers(tables: Tables, unique_id: str, column: str) -> Readers:
    """Who reads a column, directly or through columns made of it.

    Args:
        tables: the side where the column is.
        unique_id: its table.
        column: its name, in lower case.
    """
    from sqlglot.errors import SqlglotError

    carried: dict[str, set[str]] = {unique_id: {column}}
    readers = Readers({}, [])
    for child in _after(tables, unique_id):
        wanted = {
            _place(tables.nodes[parent]): carried[parent]
            for parent in tables.manifest["parent_map"].get(child, [])
            if carried.get(parent)
        }
        name = tables.nodes[child]["name"]
        try:
            made = _made_of(tables, child, wanted) if wanted else None
        except SqlglotError:
            readers.unread.append(name)
            continue
        if made is not None:
            carried[child] = made
            readers.found[name] = sorted(made)
    return readers


def _after(tables: Tables, unique_id: str) -> Iterator[str]:
    """Built tables after one, each after all that it reads."""
    reached: dict[str, None] = {}

    def visit(parent: str) -> None:
        for child in tables.manifest["child_map"].get(parent, []):
            if child in tables.columns and child not in reached:
                visit(child)
                reached[child] = None

    visit(unique_id)
    yield from reversed(reached)


def _place(node: Mapping[str, Any]) -> tuple[str, str]:
    return node["schema"].lower(), (node["alias"] or node["name"]).lower()


def _made_of(
    tables: Tables, unique_id: str, wanted: Mapping[tuple[str, str], set[str]]
) -> set[str] | None:
    """Columns of a table that are made of ``wanted``; None where it reads none of them.

    Raises:
        SqlglotError: its SQL cannot be taken apart.
    """
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.pushdown_projections import pushdown_projections
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope, traverse_scope

    def is_wanted(table: exp.Table, name: str) -> bool:
        return name.lower() in wanted.get((table.db.lower(), table.name.lower()), ())

    query = str(tables.nodes[unique_id].get("compiled_code") or "").strip().rstrip(";")
    if not any(name in query.lower() for names in wanted.values() for name in names) and (
        "*" not in query
    ):
        return None
    schema: dict[str, Any] = {}
    for other, columns in tables.columns.items():
        db, name = _place(tables.nodes[other])
        schema.setdefault(db, {})[name] = columns
    parsed = parse_one(query, dialect="duckdb")
    for table in parsed.find_all(exp.Table):
        table.set("catalog", None)  # one file: schema and name say which
    whole = qualify(
        parsed, schema=schema, dialect="duckdb", validate_qualify_columns=False, identify=False
    )
    # `select *` of a CTE reads what is used of it later, and no more.
    pruned = pushdown_projections(whole.copy())
    is_read = any(
        isinstance(source := scope.sources.get(column.table), exp.Table)
        and is_wanted(source, column.name)
        for scope in traverse_scope(pruned)
        for column in scope.columns
    )
    if not is_read:
        return None
    made_of = lineage(None, whole, {}, scope=build_scope(whole), dialect="duckdb")
    return {
        column.lower()
        for column, tree in made_of.items()
        if any(
            isinstance(node.expression, exp.Table)
            and is_wanted(node.expression, node.name.rpartition(".")[2].strip('"'))
            for node in tree.walk()
        )
    }
