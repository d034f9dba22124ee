"""What tests of built pages need: Node.js with the page's packages (among them playwright-core and
axe-core), and a Chromium. A ``conftest.py`` imports the fixtures it wants."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from ingestion.settings import PROJECT_DIR

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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


@pytest.fixture(scope="session")
def node(run_directory: Path) -> None:
    """The page's packages, installed as the lock has them."""
    if not shutil.which("npm"):
        absent("Node.js and npm are not on the PATH: the page was not built or tested.")
    with FileLock(run_directory / "npm.lock"):
        run(["make", "--silent", "dashboard/node_modules/.package-lock.json"])


@pytest.fixture(scope="session")
def chromium(run_directory: Path) -> str:
    """A Chromium: ``CHROMIUM``, else the PATH, else Debian's where it can be installed."""
    if given := os.environ.get("CHROMIUM"):
        return given
    with FileLock(run_directory / "chromium.lock"):
        if found := next(filter(None, map(shutil.which, BROWSERS)), None):
            return found
        if os.geteuid() == 0 and shutil.which("apt-get"):
            run(["apt-get", "update", "-qq"])
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
            run(install, timeout=600)
            if found := shutil.which("chromium"):
                return found
    absent("No Chromium: set CHROMIUM or put one on the PATH; the page was not tested.")
    raise AssertionError
