"""`make lint` goes red on a fault for each of its tools: one is put into a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.settings import PROJECT_DIR

pytestmark = pytest.mark.timeout(600)

INSTALLED = (
    ".venv",
    ".venv-artifacts",
    ".venv-dbt2",
    ".github/node_modules",
    "benchmarks/duckdb/node_modules",
    "dashboard/node_modules",
)
MODEL = "models/marts/dim_school_year.sql"


MACROS = (
    "macros/city_code.sql",
    "macros/first_match.sql",
    "macros/college_id.sql",
    "snapshots/college_ids_published.sql",
)


@dataclass(frozen=True)
class Fault:
    """A fault and who must find it."""

    tool: str
    target: str
    file: str
    old: str
    """What is replaced; empty: something is added at the end."""
    new: str
    found: str
    """What the output must say."""


FAULTS = [
    Fault("ruff check", "lint-python", "review/render.py", "", "import os\n", "E402"),
    Fault("ruff format", "lint-python", "review/render.py", "", "\n\n\n\nX = 1\n", "render.py"),
    Fault(
        "mypy", "lint-python", "review/render.py", "", '\n\nX: int = "a"\n', "Incompatible types"
    ),
    Fault("yamllint", "lint-files", ".yamllint", "", "rules: {}\n", "duplication of key"),
    Fault("hadolint", "lint-files", "Dockerfile", "", "RUN cd /tmp\n", "DL3003"),
    Fault("compose", "lint-files", "compose.yaml", "", "unknown_section: {}\n", "unknown_section"),
    Fault(
        "workflow schema",
        "lint-files",
        ".github/workflows/ci.yml",
        "permissions: {}",
        "permission: {}",
        "'permission' was unexpected",
    ),
    Fault(
        "dependabot schema",
        "lint-files",
        ".github/dependabot.yml",
        "interval: monthly",
        "interval: sometimes",
        "sometimes",
    ),
    Fault(
        "zizmor",
        "lint-files",
        ".github/workflows/docs.yml",
        "      - run: make demo",
        "      - run: echo ${{ github.event.pull_request.title }}",
        "template-injection",
    ),
    Fault(
        "actionlint",
        "lint-node",
        ".github/workflows/ci.yml",
        "matrix.python }}",
        "matrix.snake }}",
        "snake",
    ),
    Fault(
        "prettier", "lint-node", "dashboard/vite.config.js", "", "const a   =  1\n", "vite.config"
    ),
    Fault("sqlfluff", "lint-sql", MODEL, "select *", "SELECT *", "CP01"),
    Fault("sqlfluff, Snowflake", "lint-sql-snowflake", MODEL, "from", "positional join", "PRS"),
    Fault(
        "sqlfluff, macros",
        "lint-macros",
        "macros/city_code.sql",
        "left({{ insee_code }}, length({{ insee_code }}) - 2)",
        "LEFT({{ insee_code }}, length({{ insee_code }}) - 2)::varchar",
        "city_code (duckdb): CV11",
    ),
    Fault(
        "sqlfluff, macros of Snowflake",
        "lint-macros",
        "macros/first_match.sql",
        "regexp_substr({{ text }}",
        "REGEXP_SUBSTR({{ text }}",
        "first_match (snowflake): CP03",
    ),
    Fault(
        "macros described",
        "lint-macros",
        "macros/college_id.sql",
        "college_id(identity_key)",
        "college_id(identity_key, salt)",
        "college_id: takes",
    ),
    Fault(
        "sqlfluff, snapshots",
        "lint-macros",
        "snapshots/college_ids_published.sql",
        "select\n",
        "SELECT\n",
        "college_ids_published (duckdb): CP01",
    ),
    Fault(
        "dbt Core 2, parse",
        "lint-dbt2",
        "models/marts/dim_college.yml",
        "semantic_model: {enabled: true}",
        "semantic_model: true",
        "semantic_model",
    ),
    Fault(
        "dbt Core 2, compile",
        "lint-dbt2",
        MODEL,
        "with\n",
        "{{ exceptions.raise_compiler_error('seeded') if execute }}\nwith\n",
        "seeded",
    ),
]


# Who tells all that is wrong at once is asked once; of lint-files, make goes on after each tool
# that fails.
TOGETHER = ("lint-files", "lint-macros")
RUNS = [[fault for fault in FAULTS if fault.target == target] for target in TOGETHER]
RUNS += [[fault] for fault in FAULTS if fault.target not in TOGETHER]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files under version control, and what is installed beside them."""
    target = tmp_path / "project"
    listed = subprocess.run(
        ["git", "-C", str(PROJECT_DIR), "ls-files", "-z"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (PROJECT_DIR / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT_DIR / name, target / name)
    for name in INSTALLED:
        if (PROJECT_DIR / name).exists():
            (target / name).symlink_to(PROJECT_DIR / name)
    shutil.copy(target / "profiles.example.yml", target / "profiles.yml")
    return target


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=project,
        env=os.environ | {"CI": "", "DBT_LOG_PATH": str(project / "logs")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.parametrize("faults", RUNS, ids=lambda faults: " and ".join(f.tool for f in faults))
def test_fault_is_found(faults: list[Fault], copy: Path) -> None:
    target = faults[0].target
    if target == "lint-node" and not (copy / ".github/node_modules").exists():
        pytest.skip("Node.js tools are not installed: make lint installs them where npm is")
    if target == "lint-dbt2" and not (copy / "benchmarks/duckdb/node_modules").exists():
        pytest.skip("dbt Core 2's DuckDB is not installed: make lint installs it where npm is")
    if faults[0].tool == "mypy" and (PROJECT_DIR / ".mypy_cache").exists():
        # only to be faster
        shutil.copytree(PROJECT_DIR / ".mypy_cache", copy / ".mypy_cache")
    for fault in faults:
        path = copy / fault.file
        text = path.read_text(encoding="utf-8")
        if fault.old:
            assert fault.old in text
            path.write_text(text.replace(fault.old, fault.new, 1), encoding="utf-8")
        else:
            path.write_text(text + fault.new, encoding="utf-8")
    goes_on = ["--ignore-errors"] if target == "lint-files" else []
    done = make(copy, *goes_on, target, f"SQL={MODEL}", f"MACROS={' '.join(MACROS)}")
    output = done.stdout + done.stderr
    if goes_on:
        assert output.count("(ignored)") == len(faults), output
        assert "\n\t-" not in (copy / "Makefile").read_text(encoding="utf-8")  # ignored always
    else:
        assert done.returncode != 0, output
    assert [fault.tool for fault in faults if fault.found not in output] == [], output


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.skipif(
    not (PROJECT_DIR / ".venv-artifacts" / "ready").exists(),
    reason="dbt-bouncer is not installed: make lint installs it",
)
def test_manifest_gate(copy: Path) -> None:
    """No description, no tested key, a mart column undescribed, no contract: each is named."""
    marts = copy / "models" / "marts"
    record_versions = copy / "models/staging/bookkeeping/stg_record_versions.yml"
    before, rest = record_versions.read_text(encoding="utf-8").split("    description: >\n", 1)
    after = rest[rest.index("    data_tests:") :]
    record_versions.write_text(before + after, encoding="utf-8")
    replace(
        marts / "fct_college_result.yml",
        "      - unique_together:\n          arguments: {columns: [college_id, session]}\n",
        "      - holds:\n          arguments: {condition: 'true'}\n",
    )
    replace(
        marts / "dim_college.yml",
        "        description: Rule that linked the UAI; null without one.\n",
        "",
    )
    replace(
        marts / "dim_school_year.sql",
        "with\n",
        "{{ config(contract={'enforced': false}) }}\n\nwith\n",
    )
    done = make(copy, "lint-models")
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    for check, model in (
        ("check_model_description_populated", "stg_record_versions"),
        ("check_model_has_unique_test", "fct_college_result"),
        ("check_model_column_description_populated", "dim_college"),
        ("check_model_has_contracts_enforced", "dim_school_year"),
    ):
        assert check in output, check
        assert model in output, model


def test_unknown_key_is_found(copy: Path) -> None:
    """On DuckDB dbt passes over it."""
    replace(
        copy / "models/marts/dim_college.yml",
        "    semantic_model:",
        "    colour: red\n    semantic_model:",
    )
    done = make(copy, "lint-models")
    assert done.returncode != 0
    assert "colour" in done.stdout + done.stderr
