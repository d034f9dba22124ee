"""What the page's tests need: marts and their documents, and the built page."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.settings import PROJECT_DIR
from tests.browser import chromium, node, run
from tests.demo import demo
from tests.end_to_end.conftest import Home
from tests.mutations.compiled import compiled_manifest

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
def homes() -> Iterator[Path]:
    """A directory for homes; a short path, for mongod's socket."""
    with tempfile.TemporaryDirectory(prefix="colleges-page-", dir="/tmp") as parent:
        yield Path(parent)


def _home(homes: Path, name: str) -> Home:
    path = homes / name
    path.mkdir()
    return Home(path)


@pytest.fixture(scope="session")
def sample(demo: Home, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The synthetic sample, as `make demo` builds it."""
    built = Built(demo, tmp_path_factory.mktemp("sample") / "dashboard.json")
    export(built)
    return built


@pytest.fixture(scope="session")
def real(homes: Path, recorded: Path) -> Built:
    """The recorded states, those of sectors and street ranges alone among them."""
    states = ("2021-01", "2021-05", "2022-02", "2024-11", "2026-08")
    return build(_home(homes, "real"), [recorded / state for state in states])


@pytest.fixture(scope="session")
def site(node: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built page, without data."""
    directory = tmp_path_factory.mktemp("site")
    build_page = ["npm", "run", "--silent", "build", "--", "--outDir", str(directory)]
    run([*build_page, "--logLevel", "warn"], cwd=str(DASHBOARD))
    return directory
