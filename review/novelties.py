"""What a comparison of rows does not see: new tables, columns without values, unstable queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from review.findings import NewTable
from review.tables import SAMPLE_ROWS, Tables, count, is_mart, quoted, short_name

if TYPE_CHECKING:
    import duckdb


def new_table(connection: duckdb.DuckDBPyConnection, after: Tables, unique_id: str) -> NewTable:
    """Columns with their nulls, first rows and parents of a table that the base does not have."""
    node, columns = after.nodes[unique_id], after.columns[unique_id]
    key = after.key(unique_id) or list(columns)[:1]
    rows = connection.execute(
        f"select {', '.join(f'cast({quoted(c)} as varchar)' for c in columns)} "  # noqa: S608
        f"from {after.relation(unique_id)} order by {', '.join(map(quoted, key))} "
        f"limit {SAMPLE_ROWS}"
    ).fetchall()
    nulls = _nulls(connection, after, unique_id, columns)
    return NewTable(
        node["name"],
        is_mart(node),
        count(connection, after, unique_id),
        [(column, columns[column], nulls[column]) for column in columns],
        [["null" if value is None else value for value in row] for row in rows],
        sorted(map(short_name, node["depends_on"]["nodes"])),
    )


def empty_columns(
    connection: duckdb.DuckDBPyConnection, before: Tables, after: Tables, both: Iterable[str]
) -> list[str]:
    """Columns that are null in every row, and are new or were not so on the base."""
    found = []
    for unique_id in both:
        columns = after.columns[unique_id]
        rows = count(connection, after, unique_id)
        nulls = _nulls(connection, after, unique_id, columns)
        empty = [column for column, n in nulls.items() if rows and n == rows]
        known = [column for column in empty if column in before.columns[unique_id]]
        rows_before = count(connection, before, unique_id)
        was = _nulls(connection, before, unique_id, known)
        found += [
            f"{after.nodes[unique_id]['name']}.{column}"
            for column in empty
            if column not in was or was[column] < rows_before
        ]
    return sorted(found)


def differs_when_built_again(
    connection: duckdb.DuckDBPyConnection, after: Tables, different: Collection[str]
) -> list[str]:
    """Tables that differ from the base's and whose own query, run again, gives other rows.

    A random number, the clock, or an order that leaves ties to chance: the difference is then no
    effect of the edit alone.
    """
    import duckdb

    found = []
    for unique_id in different:
        node = after.nodes[unique_id]
        query = (node.get("compiled_code") or "").strip().rstrip(";")
        if node["resource_type"] != "model" or not query:
            continue
        names = ", ".join(map(quoted, after.columns[unique_id]))
        table = after.relation(unique_id)
        try:
            other = connection.execute(
                f"with again as materialized (select {names} from ({query}\n))"  # noqa: S608
                f" (select {names} from {table} except all select {names} from again)"
                f" union all (select {names} from again except all select {names} from {table})"
                " limit 1"
            ).fetchone()
        except duckdb.Error:
            continue  # a query that reads more than this file: nothing can be said
        if other:
            found.append(node["name"])
    return sorted(found)


def _nulls(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    unique_id: str,
    columns: Iterable[str],
) -> dict[str, int]:
    names = list(columns)
    if not names:
        return {}
    counts = ", ".join(f"count(*) - count({quoted(name)})" for name in names)
    (found,) = connection.execute(
        f"select {counts} from {tables.relation(unique_id)}"  # noqa: S608
    ).fetchall()
    return dict(zip(names, found, strict=True))
