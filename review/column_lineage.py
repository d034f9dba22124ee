"""Which tables read the very column, and which of their columns are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from review.tables import Tables


class Readers(NamedTuple):
    """Who reads a column, as far as their SQL could be taken apart."""

    found: dict[str, list[str]]
    """Name of a model or snapshot → those of its columns that are made of the column. None of
    them: it is read in a join, a filter or an order."""
    unread: list[str]
    """Names of those whose SQL could not be taken apart; what reads only them is not looked for."""


def column_readers(
    tables: Tables, unique_id: str, column: str, queries: dict[str, Query] | None = None
) -> Readers:
    """Who reads a column, directly or through columns made of it.

    Args:
        tables: the side where the column is.
        unique_id: its table.
        column: its name, in lower case.
        queries: keeps what was taken apart of this side, for the next column.
    """
    from sqlglot.errors import SqlglotError

    queries = {} if queries is None else queries
    carried: dict[str, set[str]] = {unique_id: {column}}
    readers = Readers({}, [])
    for child in _after(tables, unique_id):
        wanted = {
            (*_place(tables.nodes[parent]), name)
            for parent in tables.manifest["parent_map"].get(child, [])
            for name in carried.get(parent, ())
        }
        text = str(tables.nodes[child].get("compiled_code") or "").strip().rstrip(";")
        if not ("*" in text or any(name in text.lower() for *_, name in wanted)) or not wanted:
            continue
        name = tables.nodes[child]["name"]
        try:
            query = queries.get(child) or Query(tables, text)
            is_read = bool(wanted & query.reads)
            made = {c for c, of in query.made_of.items() if wanted & of} if is_read else set()
        except SqlglotError:
            readers.unread.append(name)
            continue
        queries[child] = query
        if is_read:
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


class Query:
    """A table's query, taken apart. Columns of other tables are (schema, table, column).

    Every method raises a SqlglotError where the SQL cannot be taken apart.
    """

    def __init__(self, tables: Tables, text: str) -> None:
        from sqlglot import exp, parse_one
        from sqlglot.optimizer.qualify import qualify

        schema: dict[str, Any] = {}
        for other, columns in tables.columns.items():
            db, name = _place(tables.nodes[other])
            schema.setdefault(db, {})[name] = columns
        parsed = parse_one(text, dialect="duckdb")
        for table in parsed.find_all(exp.Table):
            table.set("catalog", None)  # one file: schema and name say which
        self._whole = qualify(
            parsed, schema=schema, dialect="duckdb", validate_qualify_columns=False, identify=False
        )

    @cached_property
    def reads(self) -> set[tuple[str, str, str]]:
        """Columns of other tables that are read, in whatever place."""
        from sqlglot import exp
        from sqlglot.optimizer.pushdown_projections import pushdown_projections
        from sqlglot.optimizer.scope import traverse_scope

        # `select *` of a CTE reads what is used of it later, and no more.
        pruned = pushdown_projections(self._whole.copy())
        return {
            (source.db.lower(), source.name.lower(), column.name.lower())
            for scope in traverse_scope(pruned)
            for column in scope.columns
            if isinstance(source := scope.sources.get(column.table), exp.Table)
        }

    @cached_property
    def made_of(self) -> dict[str, set[tuple[str, str, str]]]:
        """Column → the columns of other tables that it is made of."""
        from sqlglot import exp
        from sqlglot.lineage import lineage
        from sqlglot.optimizer.scope import build_scope

        scope = build_scope(self._whole)
        trees = lineage(None, self._whole, {}, scope=scope, dialect="duckdb")
        return {
            column.lower(): {
                (
                    node.expression.db.lower(),
                    node.expression.name.lower(),
                    node.name.rpartition(".")[2].strip('"').lower(),
                )
                for node in tree.walk()
                if isinstance(node.expression, exp.Table)
            }
            for column, tree in trees.items()
        }
