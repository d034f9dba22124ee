"""The tables of one side: where they are, their columns, key and number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from review.build import Manifest, Side
from review.findings import RowCount

if TYPE_CHECKING:
    import duckdb

SAMPLE_ROWS = 5
BUILT = ("model", "seed", "snapshot")


class Tables:
    """The tables of one side, by unique id, as they are in the file."""

    def __init__(self, side: Side, connection: duckdb.DuckDBPyConnection) -> None:
        self.manifest: Manifest = side.manifest or {}
        self.nodes = {
            unique_id: node
            for unique_id, node in self.manifest.get("nodes", {}).items()
            if node["resource_type"] in BUILT
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
        """What to read in SQL; of a snapshot, the rows that hold now: it began with the base's."""
        node = self.nodes[unique_id]
        table = f"{quoted(node['schema'])}.{quoted(node['alias'] or node['name'])}"
        if node["resource_type"] == "snapshot":
            return f"(select * from {table} where dbt_valid_to is null)"  # noqa: S608
        return table

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
            elif metadata["name"] == "never_null":
                never_null.update(str(name).lower() for name in metadata["kwargs"]["columns"])
            elif metadata["name"] == "unique_together":
                together.append([str(name).lower() for name in metadata["kwargs"]["columns"]])
        singles = [[column] for column in unique if column in never_null]
        candidates = [*singles, *together, *([column] for column in unique)]
        return candidates[0] if candidates else []


def row_counts(
    connection: duckdb.DuckDBPyConnection, before: Tables, after: Tables
) -> Iterable[RowCount]:
    for unique_id in {**before.columns, **after.columns}:
        node = after.nodes.get(unique_id) or before.nodes[unique_id]
        is_failed = unique_id in after.nodes and unique_id not in after.columns
        if is_failed:
            continue  # not built: the problems say so, and no count is no zero
        yield RowCount(
            node["name"],
            is_mart(node),
            count(connection, before, unique_id) if unique_id in before.columns else None,
            count(connection, after, unique_id) if unique_id in after.columns else None,
        )


def count(connection: duckdb.DuckDBPyConnection, tables: Tables, unique_id: str) -> int:
    ((count,),) = connection.execute(
        f"select count(*) from {tables.relation(unique_id)}"  # noqa: S608
    ).fetchall()
    return int(count)


def _tests_of(manifest: Manifest, unique_id: str) -> list[Mapping[str, Any]]:
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("attached_node") == unique_id
        and node.get("test_metadata")
    ]


def is_mart(node: Mapping[str, Any]) -> bool:
    """What others may read: dbt calls it public."""
    return bool(node["config"].get("access") == "public")


def short_name(unique_id: str) -> str:
    return unique_id.split(".", 2)[-1]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
