"""What the page's tests need: marts and their documents, the built page, a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.settings import PROJECT_DIR
from tests.end_to_end.conftest import Home

DASHBOARD = PROJECT_DIR / "dashboard"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")


@dataclass(frozen=True)
class Built:
    """Marts of some states, and the document exported from them."""

    home: Home
    document: Path

    @property
    def manifest(self) -> Path:
        """dbt's, of the build that made the marts."""
        return self.home.path / "dbt-target" / "manifest.json"

    def environ(self) -> dict[str, str]:
        """What makes the export read these marts."""
        return {
            "COLLEGES_HOME": str(self.home.path),
            "COLLEGES_TARGET": "duckdb",
            "DBT_TARGET_PATH": str(self.manifest.parent),
        }


def run(command: list[str], timeout: float = 300, **environ: str) -> str:
    """The output of a command that must succeed, run in the project's directory."""
    done = subprocess.run(
        command,
        cwd=environ.pop("cwd", str(PROJECT_DIR)),
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def absent(what: str) -> None:
    """Skip, visibly; fail in CI, which never skips."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def build(home: Home, states: list[Path]) -> Built:
    """Load states in order, build without dbt's own tests, export."""
    built = Built(home, home.path / "dashboard.json")
    home.succeed(
        "run", "--no-build", *(part for state in states for part in ("--portal", str(state)))
    )
    run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", "build", *WITHOUT_TESTS],
        **built.environ(),
        DBT_LOG_PATH=str(home.path / "dbt-logs"),
    )
    run([sys.executable, "-m", "dashboard.export", "--out", str(built.document)], **built.environ())
    return built


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
def sample(homes: Path) -> Built:
    """The synthetic sample, as `make demo` loads it."""
    home = _home(homes, "sample")
    states = home.succeed("sample", "--out", home.path / "states").split()
    return build(home, [Path(state) for state in states])


@pytest.fixture(scope="session")
def real(homes: Path, recorded: Path) -> Built:
    """The recorded states 2021-05 and 2024-11."""
    return build(_home(homes, "real"), [recorded / "2021-05", recorded / "2024-11"])


@pytest.fixture(scope="session")
def node() -> None:
    """The page's packages, installed as the lock has them."""
    if not shutil.which("npm"):
        absent("Node.js and npm are not on the PATH: the page was not built or tested.")
    run(["make", "--silent", "dashboard/node_modules/.package-lock.json"])


@pytest.fixture(scope="session")
def site(node: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built page, without data."""
    directory = tmp_path_factory.mktemp("site")
    build_page = ["npm", "run", "--silent", "build", "--", "--outDir", str(directory)]
    run([*build_page, "--logLevel", "warn"], cwd=str(DASHBOARD))
    return directory


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium: ``CHROMIUM``, else the PATH, else Debian's where it can be installed."""
    if given := os.environ.get("CHROMIUM"):
        return given
    if found := next(filter(None, map(shutil.which, BROWSERS)), None):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], timeout=600)
        if found := shutil.which("chromium"):
            return found
    absent("No Chromium: set CHROMIUM or put one on the PATH; the page was not tested.")
    raise AssertionError
