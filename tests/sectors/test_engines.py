"""The macros of sectors and streets in both dialects, on a slice: Snowflake's on a fake account."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import fakesnow
import pytest
import snowflake.connector
from jinja2 import Environment

from ingestion.settings import PROJECT_DIR
from which.address import spelling, street_key

MACROS = (
    "geojson_vertices",
    "points_in_blocks",
    "latitude_band",
    "join_sorted",
    "normalise_street",
    "normalise_text",
    "replace_pattern",
    "address_street",
    "address_number",
    "first_match",
)
Ask = Callable[[str], list[tuple[Any, ...]]]


def rendered(expression: str, engine: str) -> str:
    """An expression with the project's macros, as dbt renders it for an engine."""
    source = "".join(
        (PROJECT_DIR / "macros" / f"{name}.sql").read_text(encoding="utf-8") for name in MACROS
    )
    environment = Environment(extensions=["jinja2.ext.do"])
    environment.globals |= {
        "return": lambda value: value,
        "var": lambda _: SimpleNamespace(**spelling()),
    }
    module = None

    def dispatch(name: str, _: str) -> Any:
        return getattr(module, f"{engine}__{name}")

    environment.globals["adapter"] = SimpleNamespace(dispatch=dispatch)
    module = environment.from_string(source).module
    names = {name: getattr(module, name) for name in MACROS}
    return environment.from_string(f"{{{{ {expression} }}}}").render(**names)


@contextmanager
def duckdb_engine() -> Iterator[Ask]:
    with duckdb.connect() as connection:
        yield lambda sql: connection.execute(sql).fetchall()


@contextmanager
def snowflake_engine() -> Iterator[Ask]:
    with (
        fakesnow.patch(),
        snowflake.connector.connect(database="D", schema="S") as connection,
        connection.cursor() as cursor,
    ):
        yield lambda sql: cursor.execute(sql).fetchall()  # type: ignore[union-attr, return-value]


ENGINES = {"duckdb": duckdb_engine, "snowflake": snowflake_engine}


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


SECTORS = {
    "COURT": {
        "type": "Polygon",
        "coordinates": [ring(2.30, 48.85, 2.31, 48.86), ring(2.303, 48.853, 2.307, 48.857)],
    },
    "TWO": {
        "type": "MultiPolygon",
        "coordinates": [
            [ring(2.31, 48.85, 2.32, 48.86)],
            # crosses itself, as some of the real ones do
            [[[2.33, 48.85], [2.34, 48.86], [2.34, 48.85], [2.33, 48.86], [2.33, 48.85]]],
        ],
    },
    "NONE": None,
}


def located(ask: Ask, engine: str) -> list[tuple[Any, ...]]:
    """The points of a slice with the blocks they lie in, through the macros alone."""
    ask("create table sectors (sector_key varchar, school_year_start integer, outline varchar)")
    rows = ", ".join(
        f"('{key}', 2023, {'null' if shape is None else repr(json.dumps(shape))})"
        for key, shape in SECTORS.items()
    )
    ask(f"insert into sectors values {rows}")
    vertices = rendered(
        "geojson_vertices('sectors', ['sector_key', 'school_year_start'], 'outline')", engine
    )
    same_ring = "partition by sector_key, polygon_number, ring_number order by vertex_number"
    ask(
        "create table edges as select sector_key, school_year_start, polygon_number,"
        " longitude as longitude_a, latitude as latitude_a,"
        f" lead(longitude) over ({same_ring}) as longitude_b,"
        f" lead(latitude) over ({same_ring}) as latitude_b from {vertices}"
    )
    ask("delete from edges where longitude_b is null")
    band = rendered("latitude_band('latitude_a')", engine)
    ask(
        "create table block_bands as select blocks.*, bands.band from (select sector_key,"
        " school_year_start, polygon_number, min(longitude_a) as min_longitude,"
        " max(longitude_a) as max_longitude, min(latitude_a) as min_latitude,"
        " max(latitude_a) as max_latitude from edges group by 1, 2, 3) as blocks"
        f" cross join (select distinct {band} + step.n as band from edges"
        " cross join (select 0 as n union all select 1 union all select 2 union all select 3"
        " union all select 4) as step) as bands"
    )
    ask(
        "create table points (point_key varchar, school_year_start integer, longitude double,"
        " latitude double)"
    )
    draw = random.Random(5)
    ask(
        "insert into points values "
        + ", ".join(
            f"('{n}', 2023, {2.295 + 0.05 * draw.random()}, {48.845 + 0.02 * draw.random()})"
            for n in range(400)
        )
    )
    sql = rendered("points_in_blocks('points', 'block_bands', 'edges')", engine)
    return sorted(ask(f"select distinct point_key, sector_key, polygon_number from {sql}"))


def test_both_engines_find_the_same_blocks() -> None:
    found = {}
    for engine, opened in ENGINES.items():
        with opened() as ask:
            found[engine] = located(ask, engine)
    assert found["duckdb"] == found["snowflake"]
    assert {key for _, key, _ in found["duckdb"]} == {"COURT", "TWO"}
    assert {number for _, _, number in found["duckdb"]} == {1, 2}


@pytest.mark.parametrize("engine", ENGINES)
def test_streets_compare_alike_in_sql_and_in_the_command(engine: str) -> None:
    texts = [
        "r. de l’Hôpital-St-Louis",
        "bd gal Kœnig",
        "RUE R P CHRISTIAN GILBERT",
        "Rue La Fayette",
        "rue de la Saïda",
        "AV D' IVRY",
        "place",
        "rue de",
    ]
    with ENGINES[engine]() as ask:
        for text in texts:
            quoted = "'" + text.replace("'", "''") + "'"
            sql = rendered(f'normalise_street("{quoted}")', engine)
            assert ask(f"select {sql}") == [(street_key(text),)], text


@pytest.mark.parametrize("engine", ENGINES)
def test_sets_are_joined_in_order(engine: str) -> None:
    with ENGINES[engine]() as ask:
        joined = rendered("join_sorted('x')", engine)
        rows = "(select 'b' as x union all select 'a' union all select 'b' union all select null)"
        assert ask(f"select {joined} from {rows} as t") == [("a, b",)]
        assert ask(f"select {joined} from {rows} as t where x is null") == [(None,)]


def test_the_macros_named_here_exist() -> None:
    assert all(Path(PROJECT_DIR, "macros", f"{name}.sql").exists() for name in MACROS)
