"""The command line as a person runs it: processes, homes of their own, real dbt builds."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.settings import PROJECT_DIR
from tests.marts import build_marts
from tests.once import TIMEOUT_S
from tests.programs import one_home, programs


@dataclass(frozen=True)
class Home:
    """One ``COLLEGES_HOME``."""

    path: Path

    def colleges(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line; the caller looks at ``returncode``, ``stdout``, ``stderr``."""
        return self._python("ingestion.cli", *arguments, **environ)

    def build(self, *arguments: str) -> None:
        """``dbt build`` alone, without tests, where another build has them."""
        self._dbt("build", "--exclude-resource-type", "test", "unit_test", *arguments)

    def unit_tests(self) -> list[dict[str, Any]]:
        """``dbt test`` of the rules alone, on empty tables in a home of their own; its results."""
        rules = Home(self.path / "rules")
        rules.path.mkdir()
        rules.build("--empty")
        rules._dbt("test", "--selector", "unit_tests")
        told = json.loads((rules.path / "dbt-target" / "run_results.json").read_text())
        results: list[dict[str, Any]] = told["results"]
        return results

    def _dbt(self, *arguments: str) -> None:
        profiles = ("--profiles-dir", str(PROJECT_DIR))
        done = self._python("ingestion.dbt", "--quiet", *arguments, *profiles)
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"

    def marts(self, *models: str) -> None:
        """Those models, or all, of what is in raw: without dbt, its tests and its half a minute."""
        build_marts(self.path / "warehouse.duckdb", *models)

    def environ(self) -> dict[str, str]:
        """What makes a program work on this home; dbt's files beside it, as tests run together."""
        return one_home().environ(self.path, self.path / "dbt-target")

    def _python(
        self, module: str, *arguments: str | Path, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | self.environ() | environ
        environment.pop("MONGODB_URI", None)
        done = programs.run(["-m", module, *map(str, arguments)], environment, timeout_s=TIMEOUT_S)
        one_home().keep(self.path / "dbt-target")
        return done

    def succeed(self, *arguments: str | Path) -> str:
        """Run a command that must succeed; its standard output."""
        done = self.colleges(*arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def status(self) -> dict[str, dict[str, Any]]:
        """``colleges status``, by dataset."""
        status = json.loads(self.succeed("status", "--json"))
        return {dataset["dataset"]: dataset for dataset in status["datasets"]}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.path / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="session")
def make_home() -> Iterator[Any]:
    """A maker of homes, removed at the end; short paths, for mongod's socket."""
    with tempfile.TemporaryDirectory(prefix="colleges-e2e-", dir="/tmp") as parent:

        def make(name: str) -> Home:
            path = Path(parent) / name
            path.mkdir()
            return Home(path)

        yield make
