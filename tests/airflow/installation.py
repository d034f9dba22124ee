"""An Airflow to test with: in its own environment, on its own database and copy of the project.

The tests run in the project's environment; Airflow is a program they call, like its users do.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT_DIR = Path(__file__).resolve().parents[2]
AIRFLOW = Path(os.environ.get("AIRFLOW_VENV") or PROJECT_DIR / ".venv-airflow") / "bin"
VENV = PROJECT_DIR / ".venv"


@dataclass
class Run:
    """How an Airflow run ended."""

    state: str
    tasks: dict[str, str]
    """Task id → state."""
    log: str

    def where(self, state: str) -> set[str]:
        return {name for name, found in self.tasks.items() if found == state}


@dataclass
class Airflow:
    """One Airflow installation: its database, its copy of the project, its ``COLLEGES_HOME``."""

    home: Path
    project: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def colleges_home(self) -> Path:
        return self.home / "colleges"

    @property
    def environment(self) -> dict[str, str]:
        ours = ("AIRFLOW__", "COLLEGES_", "MONGODB_", "SNOWFLAKE_", "DBT_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return clean | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_VENV": str(AIRFLOW.parent),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "orchestration/dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "COLLEGES_HOME": str(self.colleges_home),
            "COLLEGES_PROJECT": str(self.project),
            "COLLEGES_VENV": str(VENV),
            "COLLEGES_TASK_RETRIES": "0",
            "DO_NOT_TRACK": "1",
            **self.extra,
        }

    def call(self, *command: str | Path, timeout: int = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def parse(self) -> None:
        """Write dbt's manifest anew, as a deployment does."""
        parsed = self.call(VENV / "bin/dbt", "--quiet", "parse")
        assert parsed.returncode == 0, parsed.stdout + parsed.stderr

    def dag_test(self, dag: str, **conf: Any) -> Run:
        """``airflow dags test``: one whole run without a scheduler."""
        done = self.call(
            AIRFLOW / "airflow", "dags", "test", dag, "--conf", json.dumps(conf), timeout=900
        )
        (run_id, state), *_ = self.query(
            "select run_id, state from dag_run where dag_id = ? order by id desc limit 1", dag
        )
        assert (done.returncode == 0) == (state == "success"), done.stdout[-3000:] + done.stderr
        return Run(state, self.tasks(dag, run_id), done.stdout + done.stderr)

    def tasks(self, dag: str, run_id: str) -> dict[str, str]:
        return dict(
            self.query(
                "select task_id, state from task_instance where dag_id = ? and run_id = ?",
                dag,
                run_id,
            )
        )

    def query(self, sql: str, *values: Any) -> list[Any]:
        with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True) as database:
            return database.execute(sql, values).fetchall()

    def ask(self, sql: str) -> Any:
        """One row of the warehouse."""
        import duckdb

        path = self.colleges_home / "warehouse.duckdb"
        with duckdb.connect(path, read_only=True) as warehouse:
            return warehouse.execute(sql).fetchone()
