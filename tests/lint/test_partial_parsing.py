"""dbt still parses after an edit: partial parsing reuses an earlier parse, and can trip over it.

After some of these edits dbt 1.12.6 failed in this project; others are of a kind that a `git pull`
brings. One process parses a copy of the project again and again: starting dbt takes longer.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ingestion.settings import PROJECT_DIR
from tests.dbt_parser import Parser, copy_of_project

pytestmark = pytest.mark.timeout(600)

# Each step: a name, and edits as (file, text, what replaces it), or what is put at the end.
# No step is undone before the next, as in a working copy.
STEPS: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("nothing", []),
    ("a model that has metrics", [("models/marts/dim_college.sql", "", "-- edited\n")]),
    ("a fact that has metrics", [("models/marts/fct_college_result.sql", "", "-- edited\n")]),
    ("its yml", [("models/marts/fct_college_result.yml", "label: Candidates\n", "label: All\n")]),
    ("a metric made of others", [("models/marts/fct_college_result.yml", "(%)", "in %")]),
    ("a description", [("models/marts/dim_college.yml", "UAI; null", "UAI, and null")]),
    ("a macro", [("macros/haversine_m.sql", "", "{# edited #}\n")]),
    (
        "a pull that touches many things",
        [
            ("models/marts/dim_college.sql", "", "-- pulled\n"),
            ("models/marts/fct_college_result.yml", "in %", "per cent"),
            ("models/staging/bookkeeping/stg_record_versions.sql", "", "-- pulled\n"),
            ("macros/json_text.sql", "", "{# pulled #}\n"),
            ("models/_docs.md", "", "\nPulled.\n"),
        ],
    ),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_project(tmp_path / "project")


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer has {old!r}: choose another edit"
    path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")


def test_parses_after_each_edit(project: Path) -> None:
    parser = Parser(project)
    try:
        for name, edits in STEPS:
            for file, old, new in edits:
                edit(project, file, old, new)
            assert parser.parse() == "", name
    finally:
        parser.close()
    manifest = json.loads((project / "target" / "manifest.json").read_text(encoding="utf-8"))
    metric = manifest["metrics"]["metric.paris_colleges.success_rate_pct"]
    assert metric["label"] == "Success rate per cent"  # the last edit, not what was parsed first


def test_metrics_made_of_others_stand_apart() -> None:
    """The cause, so that the message names the file, and for metrics that no step above edits."""
    below_models = [
        f"{file.relative_to(PROJECT_DIR)}: {metric['name']}"
        for file in sorted((PROJECT_DIR / "models").rglob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or []
        for metric in model.get("metrics") or []
        if metric.get("type", "simple") != "simple"
    ]
    assert not below_models, "move them under a top-level `metrics:` in the same file"
