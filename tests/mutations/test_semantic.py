"""Every metric, run through MetricFlow, says what SQL on the marts says."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from ingestion.settings import PROJECT_DIR
from tests.mutations.compiled import (
    DATABASE,
    SEMANTIC_MANIFEST,
    Project,
    create_raw,
    semantic_manifest,
)
from tests.mutations.harness import Marts
from tests.mutations.states import COLLEGES, IPS_2023, IVAC, synthetic

TOLERANCE = 1e-6
"""Relative: sums of floating-point numbers in another order."""


class Metric(NamedTuple):
    """Where a metric comes from: a mart, and an aggregate of it by school year."""

    mart: str
    sql: str


def _weighted(measure: str) -> str:
    """Written as a person would who never saw the metric: of those that have both."""
    return (
        f"sum({measure} * candidates) filter ({measure} is not null and candidates is not null)"
        f" / sum(candidates) filter ({measure} is not null)"
    )


RESULTS = "fct_college_result where not is_retracted"
NEIGHBOURHOODS = "fct_college_neighbourhood where true"

METRICS = {
    "exam_candidates": Metric(RESULTS, "sum(candidates)"),
    "passed_candidates": Metric(RESULTS, "sum(candidates * success_rate_pct) / 100"),
    "candidates_with_success_rate": Metric(
        RESULTS, "sum(candidates) filter (success_rate_pct is not null)"
    ),
    "candidates_with_mentions_counted": Metric(
        RESULTS, "sum(candidates) filter (mentions is not null)"
    ),
    "mentions_awarded": Metric(RESULTS, "sum(mentions) filter (candidates is not null)"),
    "written_mark_points": Metric(RESULTS, "sum(candidates * written_mark)"),
    "candidates_with_written_mark": Metric(
        RESULTS, "sum(candidates) filter (written_mark is not null)"
    ),
    "value_added_point_candidates": Metric(
        RESULTS, "sum(candidates * success_rate_value_added_points)"
    ),
    "candidates_with_value_added": Metric(
        RESULTS, "sum(candidates) filter (success_rate_value_added_points is not null)"
    ),
    "mark_value_added_candidates": Metric(RESULTS, "sum(candidates * written_mark_value_added)"),
    "candidates_with_mark_value_added": Metric(
        RESULTS, "sum(candidates) filter (written_mark_value_added is not null)"
    ),
    "success_rate_pct": Metric(RESULTS, _weighted("success_rate_pct")),
    "mention_rate_pct": Metric(
        RESULTS,
        "100.0 * sum(mentions) filter (candidates is not null)"
        " / sum(candidates) filter (mentions is not null)",
    ),
    "mean_written_mark": Metric(RESULTS, _weighted("written_mark")),
    "success_rate_value_added_points": Metric(
        RESULTS, _weighted("success_rate_value_added_points")
    ),
    "written_mark_value_added": Metric(RESULTS, _weighted("written_mark_value_added")),
    "college_changes": Metric("fct_college_change where true", "count(*)"),
    "colleges": Metric(
        "fct_college_school_year where not is_partial_school_year", "count(distinct college_id)"
    ),
    "mean_nearest_km": Metric(NEIGHBOURHOODS, "avg(nearest_km)"),
    "median_nearest_km": Metric(NEIGHBOURHOODS, "median(nearest_km)"),
    "mean_colleges_within_1_km": Metric(NEIGHBOURHOODS, "avg(colleges_within_1_km)"),
    "mean_ips": Metric("fct_college_social_position where not is_retracted", "avg(ips)"),
}

AGGREGATES = {
    "colleges": "college_count",
    "success_rate_pct": "success_rate_pct",
    "mention_rate_pct": "mention_rate_pct",
    "mean_written_mark": "written_mark",
    "success_rate_value_added_points": "success_rate_value_added_points",
    "written_mark_value_added": "written_mark_value_added",
    "mean_ips": "ips_mean",
}
"""Metrics that agg_school_year holds, too, rounded to one digit."""


@pytest.fixture(scope="module")
def home(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with nulls, results taken back and a partial year, and what MetricFlow reads.

    One collège has candidates and no rate; one result and one index were taken back.
    """
    folder = tmp_path_factory.mktemp("semantic")
    first = synthetic("2026-10").edit(
        IVAC,
        {"uai": "0759090Y", "session": "2025"},
        {"taux_de_reussite_g": None, "va_du_taux_de_reussite_g": None},
    )
    names = sorted(str(record["libelle"]) for record in first.records[COLLEGES])[:3]
    second = (
        first.without(IVAC, {"uai": "0759056L", "session": "2025"})
        .without(IPS_2023, {"uai": "0759056L", "rentree_scolaire": "2025-2026"})
        .next_school_year("2025-2026", "2024/2025", lambda record: record["libelle"] in names)
        .at("2026-10-13")
    )
    path = folder / f"{DATABASE}.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as {DATABASE}; use {DATABASE}")
        create_raw(connection, project.raw_tables)
        marts = Marts(project, connection)
        marts.load(first)
        marts.load(second)
        marts.build()
    shutil.copy(PROJECT_DIR / "dbt_project.yml", folder)
    (folder / "target").mkdir()
    shutil.copy(semantic_manifest(), folder / "target" / SEMANTIC_MANIFEST)
    output = f"{{type: duckdb, path: {json.dumps(str(path))}, schema: main}}"
    (folder / "profiles.yml").write_text(
        f"paris_colleges: {{target: duckdb, outputs: {{duckdb: {output}}}}}\n", encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def answers(home: Path) -> dict[str, dict[str, float | None]]:
    """What `mf query` gives for all metrics: metric, school year, value."""
    mf = Path(sys.executable).with_name("mf")
    environment = {name: value for name, value in os.environ.items() if "DBT_" not in name}
    written = home / "answers.csv"
    done = subprocess.run(
        [
            *(str(mf), "query", "--metrics", ",".join(METRICS), "--csv", str(written)),
            *("--group-by", "metric_time__school_year", "--quiet"),
        ],
        cwd=home,
        env=environment | {"DBT_PROFILES_DIR": str(home), "DBT_PROJECT_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    with written.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {
        name: {
            row["metric_time__school_year"]: float(row[name]) if row[name] else None for row in rows
        }
        for name in METRICS
    }


def test_every_metric_is_compared(home: Path) -> None:
    """A metric that the project has and this file does not know would go unseen."""
    manifest = json.loads((home / "target" / SEMANTIC_MANIFEST).read_text(encoding="utf-8"))
    assert {metric["name"] for metric in manifest["metrics"]} == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_metric_says_what_sql_says(
    home: Path, answers: dict[str, dict[str, float | None]], name: str
) -> None:
    """By school year, those of no value left out on both sides."""
    metric = METRICS[name]
    with duckdb.connect(str(home / f"{DATABASE}.duckdb"), read_only=True) as connection:
        expected = dict(
            connection.execute(
                f"select school_year, {metric.sql} from marts.{metric.mart} group by 1"
            ).fetchall()
        )
    found = {year: value for year, value in answers[name].items() if value is not None}
    expected = {year: float(value) for year, value in expected.items() if value is not None}
    assert expected
    assert found == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("name", AGGREGATES)
def test_metric_says_what_the_aggregate_says(
    home: Path, answers: dict[str, dict[str, float | None]], name: str
) -> None:
    """`agg_school_year` rounds to one digit."""
    with duckdb.connect(str(home / f"{DATABASE}.duckdb"), read_only=True) as connection:
        expected = dict(
            connection.execute(
                f"select school_year, {AGGREGATES[name]} from marts.agg_school_year"
                f" where {AGGREGATES[name]} is not null"
            ).fetchall()
        )
    found = {year: value for year, value in answers[name].items() if value is not None}
    assert found == pytest.approx(expected, abs=0.0501)
