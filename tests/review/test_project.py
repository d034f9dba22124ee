"""The review of this project itself: a clone, its sample and recorded states, real builds.

The base is built once, and one branch carries all edits that do not meet: each has its own words in
the report.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingestion.settings import PROJECT_DIR
from review.__main__ import main
from review.build import Side, build, carry_over
from review.findings import Comparison
from review.processes import ReviewError, checked_out, merge_base
from review.raw import compare_raw, interpreter, load_sample, loads_alike, put_raw
from review.render import render
from review.report import Report
from review.sides import build_base, compare_in
from review.verdict import verdict
from tests.review.conftest import Repository
from tests.sectors.warehouse import load

pytestmark = pytest.mark.timeout(1800)
MODEL = "models/marts/fct_college_social_position"
NEW_SQL = """\
select
    establishment_type_key as establishment_type,
    cast(count(*) as integer) as colleges
from {{ ref('int_college__present_records') }}
group by establishment_type_key
"""
NEW_YML = """\
models:
  - name: agg_establishment_type
    description: Collèges by kind. Grain - establishment type.
    columns:
      - name: establishment_type
        data_type: varchar
        description: Kind of establishment.
      - name: colleges
        data_type: integer
        description: How many records.
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("clone") / "project"
    subprocess.run(
        ["git", "clone", "--quiet", str(PROJECT_DIR), str(path)], check=True, timeout=120
    )
    made = Repository(path)
    made.git("branch", "--force", "before", "HEAD")
    return made


@pytest.fixture
def branch(clone: Repository) -> Repository:
    """The clone as it is on ``before``."""
    clone.git("reset", "--quiet", "--hard", "before")
    clone.git("clean", "--quiet", "--force", "-d")
    return clone


@pytest.fixture(scope="module")
def out(clone: Repository) -> Path:
    """Where all reviews here build, so that the base is built once."""
    made = clone.path.parent / "out"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def raw(clone: Repository, out: Path) -> Path:
    return load_sample(clone.path, out)


def base_of(branch: Repository, raw: Path, out: Path) -> tuple[str, Side, Path]:
    """The base's commit, built on that raw; the warehouse, ready for the branch to be built."""
    warehouse = out / "warehouse.duckdb"
    commit = merge_base(branch.path, "before")
    with checked_out(branch.path, commit) as folder:
        base, missing = build_base(folder, commit, raw, warehouse, out)
    assert base
    assert not missing
    put_raw(raw, warehouse)
    carry_over(base, warehouse)
    return commit, base, warehouse


def test_each_edit_is_named(branch: Repository, raw: Path, out: Path) -> None:
    """The whole review of a branch of six edits: a renamed mart column and 10 % fewer rows, a new
    mart, a new column that is null throughout, a rounded measure, a query that gives other rows
    each time. Of the tables that it does not touch, nothing is said."""
    branch.edit(f"{MODEL}.sql", "        ips_stddev,", "        ips_stddev as ips_spread,")
    branch.edit(f"{MODEL}.yml", "ips_stddev", "ips_spread")
    branch.edit(
        f"{MODEL}.sql",
        "    where college_id is not null\n",
        "    where college_id is not null\n"
        "    qualify row_number() over (order by college_id, school_year) % 10 <> 0\n",
    )
    (branch.path / "models/marts/agg_establishment_type.sql").write_text(NEW_SQL, "utf-8")
    (branch.path / "models/marts/agg_establishment_type.yml").write_text(NEW_YML, "utf-8")
    establishments = (
        "models/staging/education_nationale/stg_education_nationale__establishments.sql"
    )
    branch.edit(
        establishments,
        "        typed.contract_code,\n",
        "        typed.contract_code,\n        cast(null as varchar) as phone,\n",
    )
    branch.edit(
        "models/marts/dim_arrondissement.sql",
        "round(area_m2 / 1000000, 3)",
        "round(area_m2 / 1000000, 1)",
    )
    branch.edit(
        "models/marts/fct_source_load.sql",
        "        source_loads.error\n",
        "        cast(random() as varchar) as error\n",
    )
    asked = {"base": "before", "raw": raw, "project": branch.path, "out": out}
    done = CliRunner().invoke(main, [f"--{name}={value}" for name, value in asked.items()])
    # the project's own test that every public result is placed sees the missing rows
    assert done.exit_code == 1, done.output
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert not report["base"]["problems"]
    assert [p["name"] for p in report["pr"]["problems"]] == [
        "public_results_are_placed_or_reported"
    ]
    found = report["comparison"]
    name = MODEL.rsplit("/", 1)[1]
    (counts,) = [r for r in found["rows"] if r["base"] is not None and r["base"] != r["pr"]]
    assert counts["name"] == name
    before = counts["base"]
    assert counts["pr"] == before - before // 10
    assert [(c["model"], c["kind"], c["before"], c["after"]) for c in found["columns"]] == [
        (name, "renamed", "ips_stddev DOUBLE", "ips_spread"),
        ("stg_education_nationale__establishments", "added", "", "phone VARCHAR"),
    ]
    assert found["tables_compared"] > 50
    assert found["edited"] == {
        name: ["SQL", "columns"],
        "dim_arrondissement": ["SQL"],
        "fct_source_load": ["SQL"],
        "stg_education_nationale__establishments": ["SQL"],
    }
    assert [change["name"] for change in found["definitions"]] == [f"within on {name}"]
    assert found["contracts"] == {name: ["column ips_stddev renamed to ips_spread"]}
    assert list(found["metrics"]) == ["mean_ips"]
    # everything else is the same: an untouched table that seemed to differ would stand here too
    assert not any(v["not_compared"] for v in found["values"])
    differ = {v["name"]: v for v in found["values"] if v["lost"] or v["added"] or v["changed"]}
    means = {"ips_college_count", "ips_mean", "ips_median"}
    assert {table: set(diff["columns"]) for table, diff in differ.items()} == {
        name: set(),  # its other rows are as they were
        "agg_school_year": means,
        "agg_arrondissement_school_year": means | {"ips_department_public"},
        "dim_arrondissement": {"area_km2"},
        "fct_source_load": {"error"},
    }
    said = done.stdout.splitlines()
    assert (
        "## ❌ 1 test fails; contract of 1 mart broken; 1 check changed; 1 column null in every "
        "row; 1 mart lost rows; 1 table other at each build; 1 new mart; data of 5 marts changed"
    ) in said
    act_on = [line for line in said if line.startswith("- **")]
    assert f"- **Rows lost** `{name}`: 45" in act_on
    assert "- **Null in every row** `stg_education_nationale__establishments.phone`" in act_on
    assert any(line.startswith("- **Other at each build** `fct_source_load`") for line in act_on)
    assert "`agg_establishment_type` (mart): 1 row, reads `int_college__present_records`" in said
    assert any(
        line.startswith(
            "| `dim_arrondissement` | `arrondissement_number` | 0 | 0 | 19 | `area_km2`"
        )
        for line in said
    )
    assert f"| `{name}` | {before} | {counts['pr']} | −{before // 10} |" in done.stdout


def test_a_wrong_decision_shows_on_real_data(
    branch: Repository, recorded: Path, out: Path, tmp_path: Path
) -> None:
    """A row of a seed that names a real collège says nothing on invented names."""
    given = tmp_path / "given.duckdb"
    load(given, [recorded / "2021-05", recorded / "2024-11"])
    seed = branch.path / "seeds/college_identity_decisions.csv"
    wrong = "AIME CESAIRE,75118,,ROSE BLANCHE,75117,2020-2021,data steward,2026-11-28,A mistake\n"
    seed.write_text(seed.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    commit, base, warehouse = base_of(branch, given, out)
    pr = build(branch.path, "pr", "b", warehouse, out, test=False)
    found = compare_in(warehouse, base, pr)
    report = Report("before", commit, "b", "the recorded states", base, "", pr, found)
    assert verdict(report).startswith("⚠️ ")
    assert re.search(
        r"\d+ marts lost rows; bridge_college_id_alias has \+50\.0 % rows", verdict(report)
    )
    text = render([report])
    assert "- **Rows lost** `dim_college`: 1\n" in text
    assert "college_identity_decisions" in text


def test_a_filter_of_the_registry_is_seen_in_raw(
    branch: Repository, raw: Path, tmp_path: Path
) -> None:
    """Each side loads with its own code: what the branch no longer pulls is lost."""
    registry = "ingestion/datasets.yml"
    entry = "  - id: etablissements-scolaires-colleges\n"
    branch.edit(registry, entry, entry + '    where: annee_scol != "2020-2021"\n')
    with checked_out(branch.path, "before") as folder:
        assert not loads_alike(folder, branch.path)
        assert load_sample(folder, raw.parent) == raw
    changed = compare_raw(raw, load_sample(branch.path, tmp_path))
    assert [(change.table, change.added) for change in changed] == [
        ("opendata_paris__etablissements_scolaires_colleges", 0)
    ]
    ((change),) = changed
    assert change.lost > 100
    side = Side("pr", "abc", {"nodes": {}})
    report = Report("main", "a" * 40, "b", "the sample", side, "", side, Comparison(raw=changed))
    assert verdict(report).startswith(f"⚠️ {change.table} loses {change.lost} raw records")


def test_each_side_runs_with_its_own_dependencies(
    branch: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bump of a pin: the base is built by the base's packages, installed once from its lock."""
    asked: list[Sequence[str]] = []
    returncode = 1

    def install(command: Sequence[str], *_: Any) -> subprocess.CompletedProcess[str]:
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)
            return subprocess.CompletedProcess(command, 0, "", "")
        asked.append(command)
        return subprocess.CompletedProcess(command, returncode, "", "no such version")

    monkeypatch.setattr("review.raw.run", install)
    lock = branch.path / "requirements/base.txt"
    with checked_out(branch.path, "before") as folder:
        assert interpreter(folder, branch.path, tmp_path) == sys.executable
        text = lock.read_text(encoding="utf-8")
        assert "duckdb==" in text
        lock.write_text(text.replace("duckdb==", "duckdb==9.", 1), encoding="utf-8")
        said = r"base's dependencies .*could not be installed:\nno such version"
        with pytest.raises(ReviewError, match=said):
            interpreter(folder, branch.path, tmp_path)
        returncode = 0
        python = interpreter(folder, branch.path, tmp_path)
        assert interpreter(folder, branch.path, tmp_path) == python != sys.executable
        assert len(asked) == 2  # the failure, and one installation for two reviews
        assert list(asked[1][-2:]) == ["-r", str(folder / "requirements/base.txt")]
        assert {"--no-deps", "--require-hashes"} < set(asked[1])
        assert python in asked[1]
