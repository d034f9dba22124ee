"""Marts without dbt's half a minute: its compiled SQL, run on a warehouse file as it is.

For tests of what a load or a page does with marts. How dbt itself builds them is tested by those
that run it: `tests/end_to_end`, `tests/snowflake`, `tests/review`.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from tests.mutations.compiled import load_project
from tests.mutations.harness import Marts


def build_marts(warehouse: Path, *wanted: str) -> None:
    """Build these models and snapshots, by name, and what they are made of; without names, all.

    Snapshots go on from what the file holds. A source that was never loaded is empty, as dbt's
    macro `source_or_empty` has it.

    Args:
        warehouse: a file called ``warehouse.duckdb``, as the compiled SQL has that name.
        wanted: names of models and snapshots.
    """
    project = load_project()
    by_name = {node.name: node_id for node_id, node in project.nodes.items()}
    only = {by_name[name] for name in wanted}
    only.update(*(project.ancestors(node_id) for node_id in set(only)))
    with closing(duckdb.connect(str(warehouse))) as connection:
        present = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'raw'"
        ).fetchall()
        missing = project.raw_tables.keys() - {name for (name,) in present}
        connection.execute("create schema if not exists raw")
        for table in missing:
            columns = ", ".join(f"{n} {kind}" for n, kind in project.raw_tables[table].items())
            connection.execute(f"create table raw.{table} ({columns})")
        now = datetime.now(UTC).replace(tzinfo=None)
        Marts(project, connection, now).build(only=only if wanted else None)
        for table in missing:  # the next load makes it its own way
            connection.execute(f"drop table raw.{table}")
