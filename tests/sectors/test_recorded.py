"""What the recorded states say of sectors: the figures the models and the command must reach."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import shapely
from jinja2 import Environment

from ingestion.settings import PROJECT_DIR
from which.address import read_address
from which.answer import Answer, Map, find

pytestmark = pytest.mark.timeout(1200)

NOISE_PCT = 0.26
"""Two drawings of the same sectors differ in this share of blocks."""


@pytest.fixture(scope="module")
def addresses(recorded: Path) -> list[dict[str, Any]]:
    path = recorded.parent / "samples" / "addresses_paris.jsonl"
    if not path.exists():
        pytest.skip(f"no sample of addresses at {path}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def answers(addresses: list[dict[str, Any]], held: Map) -> dict[str, Answer]:
    return {
        f"{address['address']}, {address['insee_code']}": find(
            held,
            read_address(f"{address['address']}, {address['insee_code']}"),
            (address["longitude"], address["latitude"]),
        )
        for address in addresses
    }


def of_range(answer: Answer) -> set[str]:
    return set(answer.by_range["college_ids"]) if answer.by_range else set()


def of_outline(answer: Answer) -> set[str]:
    return set(answer.by_outline["college_ids"]) if answer.by_outline else set()


def test_every_address_has_an_answer_nearly_all_by_range(answers: dict[str, Answer]) -> None:
    assert len(answers) == 345
    assert all(answer.colleges and answer.rule for answer in answers.values())
    by_range = [answer for answer in answers.values() if answer.rule == "range"]
    assert len(by_range) >= 0.97 * len(answers)


def test_ranges_and_outlines_agree(answers: dict[str, Answer]) -> None:
    """And where they do not, the answer says so, names both and trusts neither."""
    both = [a for a in answers.values() if of_range(a) and of_outline(a)]
    differ = [a for a in both if of_range(a) != of_outline(a)]
    assert len(both) >= 330
    assert len(differ) <= 0.04 * len(both)
    for answer in differ:
        assert answer.certainty == "low"
        assert "Both definitions differ: ask the rectorat or the town hall." in answer.notes
        named = {c["college_id"] for c in (*answer.colleges, *answer.alternatives)}
        assert named == of_range(answer) | of_outline(answer)


def test_what_no_range_answers_says_why(answers: dict[str, Answer]) -> None:
    for text, answer in answers.items():
        if answer.rule != "range":
            assert answer.by_range is None, text
            assert answer.suggestions, text


def test_change_counts(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Within the noise of the drawings: 0.7 % and 4.3 % of blocks, measured by another way."""
    counts = warehouse.execute(
        "select distinct school_year, from_school_year, blocks_changed, blocks_compared"
        " from marts.fct_sector_change order by 1"
    ).fetchall()
    assert [row[:2] for row in counts] == [("2021-2022", "2020-2021"), ("2023-2024", "2021-2022")]
    shares = [100 * changed / compared for *_, changed, compared in counts]
    assert shares == [
        pytest.approx(100 * 45 / 6185, abs=NOISE_PCT),
        pytest.approx(100 * 267 / 6153, abs=NOISE_PCT),
    ]


def test_the_real_change_of_2021(warehouse: duckdb.DuckDBPyConnection) -> None:
    """The largest: part of Jean-François Oeben's sector went to Pilâtre de Rozier."""
    ((was, became),) = warehouse.execute(
        "select f.college_name, t.college_name from marts.fct_sector_change"
        " join marts.dim_college f on f.college_id = from_college_id"
        " join marts.dim_college t on t.college_id = to_college_id"
        " where school_year = '2021-2022' qualify row_number() over (order by area_km2 desc) = 1"
    ).fetchall()
    assert (was, became) == ("JEAN FRANCOIS OEBEN", "PILATRE DE ROZIER")


def test_colleges_at_their_own_address(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Most are the answer there; every other is in the report, with what the sources say."""
    rows = warehouse.execute(
        "select address_key, coalesce(range_college_ids, outline_college_ids)"
        " like '%' || own_college_id || '%' from intermediate.int_sector__address_answers"
        " where address_source = 'college'"
    ).fetchall()
    assert len(rows) == 114
    assert sum(bool(is_own) for _, is_own in rows) >= 98
    reported = {
        key
        for (key,) in warehouse.execute(
            "select address_key from marts.rpt_sector_disagreement"
        ).fetchall()
    }
    assert {key for key, is_own in rows if not is_own} <= reported


def test_the_sql_finds_the_blocks_that_shapely_finds(warehouse: duckdb.DuckDBPyConnection) -> None:
    """100,000 points in and around Paris, in at most fifteen seconds."""
    draw = random.Random(18)
    points = [(2.22 + 0.25 * draw.random(), 48.80 + 0.11 * draw.random()) for _ in range(100_000)]
    cursor = warehouse.cursor()
    cursor.execute(
        "create temp table points as select unnest(?) as p, generate_subscripts(?, 1) as n",
        [points, points],
    )
    cursor.execute(
        "create temp view asked as select cast(n as varchar) as point_key,"
        " 2023 as school_year_start, p[1] as longitude, p[2] as latitude from points"
    )
    sources = "".join(
        (PROJECT_DIR / "macros" / f"{name}.sql").read_text(encoding="utf-8")
        for name in ("points_in_blocks", "latitude_band")
    )
    sql = (
        Environment()
        .from_string(
            sources + "select point_key, sector_key, polygon_number from {{ points_in_blocks("
            "'asked', 'intermediate.int_sector__block_bands', 'intermediate.int_sector__edges') }}"
        )
        .render()
    )
    started = time.perf_counter()
    found = cursor.execute(sql).fetchall()
    seconds = time.perf_counter() - started
    tree = shapely.STRtree(shapely.points(points))
    where = np.array(points)
    expected = set()
    for sector_key, boundary in cursor.execute(
        "select sector_key, boundary_geojson from intermediate.int_sector__school_years"
        " where school_year_start = 2023"
    ).fetchall():
        for number, block in enumerate(shapely.from_geojson(boundary).geoms, 1):
            near = tree.query(block)
            shapely.prepare(block)
            inside = near[shapely.contains_xy(block, *where[near].T)]
            expected |= {(str(n + 1), sector_key, number) for n in inside}
    assert len(expected) > 20_000
    assert set(found) == expected
    assert len(found) == len(expected)
    assert seconds <= 15
