"""Who reads the very column: told from a column beside it, through CTEs, stars and other tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from review.column_lineage import column_readers
from review.compare import FOLLOWED, readers_of_columns
from review.findings import ColumnChange, Comparison
from review.sections import readers

COLUMNS = {"id": "INTEGER", "place": "VARCHAR", "cost": "DOUBLE"}
SQL = {
    "fct_visit": ("", ["id", "place", "cost"]),
    "agg_place": (
        # house style: what is imported whole is not read whole
        "with visits as (select * from w.main.fct_visit) "
        "select place, round(sum(cost), 2) as total from visits group by place",
        ["place", "total"],
    ),
    "dear": ("select id, place from w.main.fct_visit where cost > 9", ["id", "place"]),
    "ranked": (
        "select id, row_number() over (partition by place order by id) as n from main.fct_visit",
        ["id", "n"],
    ),
    "rpt": (
        "with a as (select * from main.agg_place), v as (select * from main.fct_visit) "
        "select v.id, a.total * 2 as double_total, struct_pack(x := v.place) as s "
        "from v inner join a on v.place = a.place qualify row_number() over (order by v.id) = 1",
        ["id", "double_total", "s"],
    ),
    "strange": ("this is no SQL of cost", ["cost"]),
}
PARENTS = {
    "agg_place": ["fct_visit"],
    "dear": ["fct_visit"],
    "ranked": ["fct_visit"],
    "rpt": ["agg_place", "fct_visit"],
    "strange": ["fct_visit"],
}


@pytest.fixture
def tables() -> Any:
    children: dict[str, list[str]] = {}
    for child, parents in PARENTS.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    return SimpleNamespace(
        manifest={"parent_map": PARENTS, "child_map": children},
        nodes={
            name: {"name": name, "schema": "main", "alias": "", "compiled_code": sql}
            for name, (sql, _) in SQL.items()
        },
        columns={
            name: {column: COLUMNS.get(column, "VARCHAR") for column in columns}
            for name, (_, columns) in SQL.items()
        },
    )


@pytest.mark.parametrize(
    ("column", "readers"),
    [
        ("cost", {"agg_place": ["total"], "rpt": ["double_total"], "dear": []}),
        (
            "place",
            {"agg_place": ["place"], "rpt": ["s"], "dear": ["place"], "ranked": ["n"]},
        ),
        ("id", {"rpt": ["id"], "dear": ["id"], "ranked": ["id", "n"]}),
    ],
)
def test_who_reads_it(tables: Any, column: str, readers: dict[str, list[str]]) -> None:
    assert column_readers(tables, "fct_visit", column).found == readers


def test_sql_that_cannot_be_read_is_named(tables: Any) -> None:
    assert column_readers(tables, "fct_visit", "cost").unread == ["strange"]
    assert column_readers(tables, "fct_visit", "place").unread == []  # its SQL has no such word


def test_report_says_what_was_not_looked_at(tables: Any) -> None:
    """Fourteen columns of a table are gone, and twelve are followed."""
    gone = ["cost", *(f"gone_{number}" for number in range(FOLLOWED + 1))]
    changes = [ColumnChange("fct_visit", True, "removed", column, "") for column in gone]
    found, unread, left = readers_of_columns(tables, changes)
    assert (list(found), unread, left) == (["fct_visit.cost"], ["strange"], 2)
    said = readers(Comparison(unread=unread, columns_not_followed=left), {})
    assert "- Readers of 2 more columns were not looked for.\n" in said
    assert "- The SQL of `strange` could not be read.\n" in said
