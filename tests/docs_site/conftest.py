"""The whole site, as `make docs` builds it on the demo."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs_site.artifacts import Artifacts
from docs_site.marts import Lineage, Mart, read_marts
from docs_site.tools import read_json
from ingestion.settings import Settings
from tests.browser import chromium, node, run
from tests.demo import demo
from tests.end_to_end.conftest import Home
from tests.once import made_once
from tests.programs import one_home

__all__ = ["chromium", "demo", "node"]


@dataclass(frozen=True)
class Site:
    """A built site and what it was built from."""

    out: Path
    home: Path
    target_path: Path

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, target="duckdb")

    @property
    def lineage(self) -> Path:
        return self.target_path / "docs" / "lineage" / "colibri-manifest.json"

    def artifacts(self, target_path: Path | None = None) -> Artifacts:
        return Artifacts(target_path or self.target_path, "duckdb")

    def marts(self, artifacts: Artifacts) -> dict[str, Mart]:
        lineage = Lineage(read_json(self.lineage), artifacts)
        return {mart.name: mart for mart in read_marts(artifacts, lineage)}


@pytest.fixture(scope="session")
def site(demo: Home, run_directory: Path) -> Site:
    """Built once for all workers, on a copy that dbt has for itself; only to be read."""

    def make(home: Path) -> None:
        shutil.copy(demo.path / "warehouse.duckdb", home)
        shutil.copytree(demo.path / "dbt-target", home / "target")
        run(["make", "--silent", ".venv-artifacts/ready"])
        run(
            [sys.executable, "-m", "docs_site", "--out", str(home / "site")],
            **one_home().environ(home, home / "target"),
        )

    home = made_once(run_directory / "docs-site", make)
    return Site(home / "site", home, home / "target")
