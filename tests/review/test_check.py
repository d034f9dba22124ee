"""`make check` and `make new-model`: a common mistake gets one sentence that says what to paste."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ingestion.settings import PROJECT_DIR
from review.check import changed_files, french, lint, yml_beside_each_model
from review.problems import explain
from tests.review.conftest import Repository

pytestmark = pytest.mark.timeout(300)


def new_model(project: Path, name: str, layer: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "review.new_model", name, layer, "--project", str(project)],
        cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "layer"),
    [("fct_try", "marts"), ("int_college__try", "intermediate"), ("stg_try", "staging")],
)
def test_a_new_model_passes_the_linters(tmp_path: Path, name: str, layer: str) -> None:
    (tmp_path / "models" / layer).mkdir(parents=True)
    done = new_model(tmp_path, name, layer)
    assert done.returncode == 0, done.stderr
    sql, yml = (tmp_path / "models" / layer / f"{name}{suffix}" for suffix in (".sql", ".yml"))
    for command in (
        ["sqlfluff", "lint", "--config", ".sqlfluff", str(sql)],
        ["yamllint", "--strict", str(yml)],
    ):
        linted = subprocess.run(
            [str(Path(sys.executable).parent / command[0]), *command[1:]],
            cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert linted.returncode == 0, linted.stdout
    (model,) = yaml.safe_load(yml.read_text(encoding="utf-8"))["models"]
    assert model["name"] == name
    assert all(column["description"] for column in model["columns"])
    # a second call overwrites nothing
    sql.write_text("mine", encoding="utf-8")
    assert "was left as it is" in new_model(tmp_path, name, layer).stdout
    assert sql.read_text(encoding="utf-8") == "mine"


def test_a_name_of_another_layer_is_refused(tmp_path: Path) -> None:
    done = new_model(tmp_path, "college_try", "marts")
    assert done.returncode == 1
    assert (
        done.stderr == "A model of marts is named dim_… or fct_… or bridge_… or agg_… or rpt_….\n"
    )


def test_a_model_without_yml(tmp_path: Path) -> None:
    marts = tmp_path / "models" / "marts"
    marts.mkdir(parents=True)
    (marts / "fct_try.sql").write_text("select 1", encoding="utf-8")
    assert yml_beside_each_model(tmp_path).wrong == (
        "models/marts/fct_try.sql has no fct_try.yml beside it. Write one that names, types and "
        "describes its columns: make new-model NAME=fct_try LAYER=marts prints one"
    )
    assert yml_beside_each_model(PROJECT_DIR).wrong == ""


def test_a_yml_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for name in (".yamllint", ".gitignore"):
        shutil.copy(PROJECT_DIR / name, tmp_path)
    (tmp_path / "x.yml").write_text(
        "models:\n  - name: x\n   columns:\n      - name: y\n", encoding="utf-8"
    )
    wrong = lint(tmp_path, ["x.yml"]).wrong
    assert wrong.startswith("x.yml:3:4: [error] syntax error: ")
    assert "\n" not in wrong


def test_a_description_without_french() -> None:
    column = {"description": "A text that nobody translated."}
    nodes = {
        "model.paris_colleges.dim_college": {"description": "", "columns": {"college_id": column}}
    }
    assert french({"nodes": nodes}).wrong == (
        "dim_college.college_id is described anew and has no French. Put it into "
        'dashboard/definitions.fr.json: "A text that nobody translated.": "…"'
    )


CONTRACT = """This model has an enforced contract that failed.
  | column_name | definition_type | contract_type | mismatch_reason       |
  | ----------- | --------------- | ------------- | --------------------- |
  | population  | BIGINT          |               | missing in contract   |
  | ghost       |                 | VARCHAR       | missing in definition |
  | cost        | INTEGER         | DOUBLE        | data type mismatch    |
"""


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            CONTRACT,
            "Column population is in the SQL and not in models/marts/fct_visit.yml: add "
            "- name: population / data_type: bigint / description: …; Column ghost is in "
            "models/marts/fct_visit.yml and not in the SQL: select it or take it out; Column cost "
            "is INTEGER in the SQL and DOUBLE in models/marts/fct_visit.yml: cast it, or change "
            "data_type there.",
        ),
        (
            "Model 'model.small.x' (models/x.sql) depends on a node named 'stg_vists' which was "
            "not found",
            "There is no model, seed or snapshot stg_vists: did you mean ref('stg_visits')?",
        ),
        (
            "Unit test 'u' (models/x.yml) depends on a node named 'dim_place' which was not found",
            "The unit test says nothing of dim_place, which its model reads: add "
            "`- input: ref('dim_place')` with its rows (`rows: []` for none) under `given`.",
        ),
        (
            "Error reading small: marts/fct_visit.yml - Runtime Error\n  Syntax error near line 9",
            "models/marts/fct_visit.yml is no YAML near line 9: look at indentation, quotes and "
            "colons.",
        ),
    ],
)
def test_a_common_mistake_gets_a_sentence(
    repository: Repository, message: str, sentence: str
) -> None:
    node = {"original_file_path": "models/marts/fct_visit.sql", "name": "fct_visit"}
    given = node if "contract" in message else {}
    assert explain(repository.path, message, given) == sentence


def test_changed_files_are_those_edited_and_new(repository: Repository) -> None:
    repository.edit("models/marts/fct_visit.sql", "    cost,", "    cost,\n")
    shutil.copy(repository.path / "dbt_project.yml", repository.path / "new.yml")
    (repository.path / "models/marts/dim_place.yml").unlink()
    assert changed_files(repository.path, "main") == ["models/marts/fct_visit.sql", "new.yml"]
