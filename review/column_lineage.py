"""Which tables read the very column, and which of their columns are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from review.tables import Tables


def column_readers(tables: Tables, unique_id: str, column: str) -> dict[str, list[str]]:
    """Who reads a column, directly or through columns made of it.

    Args:
        tables: the side where the column is.
        unique_id: its table.
        column: its name, in lower case.

    Returns:
        Name of a model or snapshot → those of its columns that are made of the column. None of
        them: it is read in a join, a filter or an order. SQL that cannot be taken apart is left
        out.
    """
    carried: dict[str, set[str]] = {unique_id: {column}}
    found: dict[str, list[str]] = {}
    for child in _after(tables, unique_id):
        wanted = {
            _place(tables.nodes[parent]): carried[parent]
            for parent in tables.manifest["parent_map"].get(child, [])
            if carried.get(parent)
        }
        made = _made_of(tables, child, wanted) if wanted else None
        if made is not None:
            carried[child] = made
            found[tables.nodes[child]["name"]] = sorted(made)
    return found


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
    """Columns of a table that are made of ``wanted``; None where it reads none of them."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
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
    try:
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
    except SqlglotError:
        return None
