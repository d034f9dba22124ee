"""`make demo`, built once for all the tests that only look at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Home
from tests.once import made_once


@pytest.fixture(scope="session")
def demo(run_directory: Path) -> Home:
    """The synthetic sample, loaded and built with its tests by the first worker that asks.

    Its warehouse is only to be read: whoever needs to write, or to let dbt open it, copies it.
    """

    def make(folder: Path) -> None:
        home = Home(folder)
        states = home.succeed("sample", "--out", folder / "states").split()
        home.succeed("run", *(part for state in states for part in ("--portal", state)))
        shutil.rmtree(folder / "mongodb")  # most of the space, and nobody asks it again

    return Home(made_once(run_directory / "demo", make))
