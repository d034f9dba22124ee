"""The review of this project itself: a clone, its sample, real builds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.settings import PROJECT_DIR
from review.build import carry_over
from review.processes import checked_out
from review.raw import load_sample, put_raw
from review.sides import build_base, build_head, compare_in
from tests.review.conftest import Repository

pytestmark = pytest.mark.timeout(1800)
MODEL = "models/marts/fct_college_social_position"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("clone") / "project"
    subprocess.run(
        ["git", "clone", "--quiet", str(PROJECT_DIR), str(path)], check=True, timeout=120
    )
    made = Repository(path)
    made.git("branch", "--force", "before", "HEAD")
    return made


@pytest.fixture(scope="module")
def raw(clone: Repository) -> Path:
    return load_sample(clone.path, clone.path.parent)


def test_untouched_has_no_difference(clone: Repository, raw: Path) -> None:
    out = clone.path.parent / "untouched"
    out.mkdir()
    warehouse = out / "warehouse.duckdb"
    with checked_out(clone.path, "before") as folder:
        base, missing = build_base(folder, "before", raw, warehouse, out)
    assert base
    assert not missing
    put_raw(raw, warehouse)
    carry_over(base, warehouse)
    pr = build_head(clone.path, warehouse, out)
    assert not pr.problems
    found = compare_in(warehouse, base, pr)
    assert found.is_same
    assert found.tables_compared > 50
    assert not any(row.base != row.pr for row in found.rows)


def test_change_is_named_exactly(clone: Repository, raw: Path) -> None:
    """A changed model, a renamed mart column, 10 % fewer rows: the command as a person runs it."""
    clone.edit(f"{MODEL}.sql", "        ips_stddev,", "        ips_stddev as ips_spread,")
    clone.edit(f"{MODEL}.yml", "name: ips_stddev", "name: ips_spread")
    clone.edit(
        f"{MODEL}.sql",
        "    where college_id is not null\n",
        "    where college_id is not null\n"
        "    qualify row_number() over (order by college_id, school_year) % 10 <> 0\n",
    )
    out = clone.path.parent / "changed"
    done = subprocess.run(
        [sys.executable, "-m", "review", "--base", "before", "--raw", str(raw), "--out", str(out)],
        cwd=clone.path, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    # the project's own test that every public result is placed sees the missing rows
    assert done.returncode == 1, done.stderr
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert [p["name"] for p in report["pr"]["problems"]] == [
        "public_results_are_placed_or_reported"
    ]
    found = report["comparison"]
    name = MODEL.rsplit("/", 1)[1]
    ((counts),) = [r for r in found["rows"] if r["base"] != r["pr"]]
    assert counts["name"] == name
    before = counts["base"]
    assert counts["pr"] == before - before // 10
    assert [(c["model"], c["kind"], c["before"], c["after"]) for c in found["columns"]] == [
        (name, "renamed", "ips_stddev DOUBLE", "ips_spread")
    ]
    assert found["edited"] == {name: ["SQL", "columns"]}
    assert found["contracts"] == {name: ["column ips_stddev renamed to ips_spread"]}
    assert list(found["metrics"]) == ["mean_ips"]
    differ = {v["name"] for v in found["values"] if v["lost"] or v["added"] or v["changed"]}
    assert differ == {name, "agg_school_year", "agg_arrondissement_school_year"}
    assert f"| `{name}` | {before} | {counts['pr']} | −{before // 10} |" in done.stdout
