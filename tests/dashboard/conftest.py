"""What the page's tests need: marts and their documents, and the built page."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.settings import PROJECT_DIR
from tests.browser import chromium, node, run
from tests.demo import demo
from tests.end_to_end.conftest import Home
from tests.mutations.compiled import compiled_manifest
from tests.once import made_once

__all__ = ["chromium", "demo", "node"]

DASHBOARD = PROJECT_DIR / "dashboard"


@dataclass(frozen=True)
class Built:
    """Marts of some states, and the document exported from them."""

    home: Home
    document: Path

    @property
    def manifest(self) -> Path:
        """dbt's, of the project that made the marts."""
        return self.home.path / "dbt-target" / "manifest.json"

    def environ(self) -> dict[str, str]:
        """What makes the export read these marts."""
        return self.home.environ()


def build(home: Home, states: list[Path]) -> Built:
    """Load states in order, make the marts without dbt, export."""
    built = Built(home, home.path / "dashboard.json")
    home.succeed(
        "run", "--no-build", *(part for state in states for part in ("--portal", str(state)))
    )
    home.marts()
    built.manifest.parent.mkdir(exist_ok=True)
    shutil.copy(compiled_manifest(), built.manifest)
    export(built)
    return built


def export(built: Built) -> None:
    """Write the document."""
    run([sys.executable, "-m", "dashboard.export", "--out", str(built.document)], **built.environ())


@pytest.fixture(scope="session")
def sample(demo: Home, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The synthetic sample, as `make demo` builds it."""
    built = Built(demo, tmp_path_factory.mktemp("sample") / "dashboard.json")
    export(built)
    return built


@pytest.fixture(scope="session")
def real(run_directory: Path, recorded: Path) -> Built:
    """The recorded states, those of sectors and street ranges alone among them; only to be read."""
    states = ("2021-01", "2021-05", "2022-02", "2024-11", "2026-08")

    def make(folder: Path) -> None:
        build(Home(folder), [recorded / state for state in states])

    home = Home(made_once(run_directory / "real", make))
    return Built(home, home.path / "dashboard.json")


@pytest.fixture(scope="session")
def page(node: None, run_directory: Path) -> Path:
    """The built page, without data."""

    def make(folder: Path) -> None:
        build_page = ["npm", "run", "--silent", "build", "--", "--outDir", str(folder)]
        run([*build_page, "--logLevel", "warn"], cwd=str(DASHBOARD))

    return made_once(run_directory / "page", make)


@pytest.fixture(scope="session")
def site(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, to be written into."""
    return Path(shutil.copytree(page, tmp_path_factory.mktemp("site") / "page"))
