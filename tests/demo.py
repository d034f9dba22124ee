"""`make demo`, built once for all the tests that only look at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end.conftest import TIMEOUT_S, Home


@pytest.fixture(scope="session")
def demo(run_directory: Path) -> Home:
    """The synthetic sample, loaded and built with its tests by the first worker that asks.

    Its warehouse is only to be read: whoever needs to write, or to let dbt open it, copies it.
    """
    home = Home(run_directory / "demo")
    built = home.path / "built"
    with FileLock(run_directory / "demo.lock", timeout=TIMEOUT_S):
        if not built.exists():
            shutil.rmtree(home.path, ignore_errors=True)
            home.path.mkdir()
            states = home.succeed("sample", "--out", home.path / "states").split()
            home.succeed("run", *(part for state in states for part in ("--portal", state)))
            shutil.rmtree(home.path / "mongodb")  # most of the space, and nobody asks it again
            built.touch()
    return home
