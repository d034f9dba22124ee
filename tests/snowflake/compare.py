"""Whether two warehouses hold the same: every table of a schema, row by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

DECIMALS = 9
"""Numbers are held equal to so many decimals. Marts round their measures, so what is left to
differ are coordinates, in degrees: 1e-9 of one is a tenth of a millimetre."""
SCHEMAS = ("marts", "snapshots", "reference")
# When a build ran, and hashes of it.
NOT_COMPARED = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to")

Query = Callable[[str], list[tuple[Any, ...]]]
Table = tuple[list[str], Counter[tuple[Any, ...]]]


def read_tables(query: Query) -> dict[str, Table]:
    """Every table of `SCHEMAS`: its columns in order of name, and its rows, counted."""
    names = ", ".join(f"'{schema}'" for schema in SCHEMAS)
    columns: dict[str, list[str]] = {}
    for schema, table, column in query(
        "select lower(table_schema), lower(table_name), lower(column_name)"
        f" from information_schema.columns where lower(table_schema) in ({names})"
        # What dbt made for the time of a build; fakesnow keeps it.
        " and right(lower(table_name), 9) <> '__dbt_tmp' order by 1, 2, 3"
    ):
        if column not in NOT_COMPARED:
            columns.setdefault(f"{schema}.{table}", []).append(column)
    return {
        table: (names_, Counter(_rows(query(f"select {', '.join(names_)} from {table}"))))
        for table, names_ in columns.items()
    }


def differences(ours: dict[str, Table], theirs: dict[str, Table]) -> list[str]:
    """What differs, one line a table, with up to three rows of either side; empty: nothing."""
    found = []
    for table in sorted(ours.keys() | theirs.keys()):
        if table not in ours or table not in theirs:
            found.append(f"{table}: only in {'the first' if table in ours else 'the second'}")
            continue
        (columns, rows), (other_columns, other_rows) = ours[table], theirs[table]
        if columns != other_columns:
            found.append(f"{table}: columns {columns} and {other_columns}")
        elif rows != other_rows:
            missing, extra = rows - other_rows, other_rows - rows
            found.append(
                f"{table} ({', '.join(columns)}): {missing.total()} rows only in the first, e.g. "
                f"{_few(missing)}; {extra.total()} only in the second, e.g. {_few(extra)}"
            )
    return found


def _few(rows: Counter[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)[:3]


def _rows(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    return (tuple(_plain(value) for value in row) for row in rows)


def _plain(value: Any) -> Any:
    """A value in the one form in which both engines' drivers' are equal."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        rounded = round(float(value), DECIMALS)
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, str) and value[:1] in ("{", "["):
        # The JSON text of an object: engines write the same value in their own way.
        try:
            return json.dumps(_plain_json(json.loads(value)), sort_keys=True)
        except ValueError:
            return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    return str(value)


def _plain_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain_json(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_plain_json(held) for held in value]
    return _plain(value)
