"""What docs/modelling.md says of the models' files, and no linter knows."""

from __future__ import annotations

from pathlib import Path

import yaml

from ingestion.settings import PROJECT_DIR

MODELS = PROJECT_DIR / "models"
MOST_LINES = 200


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_model_is_too_long_to_read() -> None:
    """One that is decides several things: split it by what each step decides."""
    long = {
        path.name: lines for path in MODELS.rglob("*.sql") if (lines := _lines(path)) > MOST_LINES
    }
    assert not long


def test_yaml_does_not_outweigh_sql() -> None:
    """Descriptions, tests and the rows of unit tests together, exposures included."""
    sql = sum(_lines(path) for path in MODELS.rglob("*.sql"))
    properties = sum(_lines(path) for path in MODELS.rglob("*.yml"))
    assert properties <= sql


def test_unit_tests_carry_the_name_of_their_model() -> None:
    """`dbt ls` shows nothing else of them."""
    found = [
        (test["model"], test["name"])
        for path in MODELS.rglob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    ]
    assert found
    assert [(model, name) for model, name in found if not name.startswith(f"{model}_")] == []
