"""The models of sectors, built once on the recorded states."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from ingestion.settings import Settings
from ingestion.warehouse import open_warehouse
from tests.end_to_end.conftest import Home
from tests.once import made_once
from tests.sectors.warehouse import load
from which.answer import Map

STATES = ("2021-01", "2021-05", "2022-02", "2024-11", "2026-08")
MODELS = (
    "rpt_sector_disagreement",
    "fct_sector_change",
    "fct_sector_school_year",
    "bridge_sector_college",
    "fct_source_load",
)


@pytest.fixture(scope="session")
def built(run_directory: Path, recorded: Path) -> Home:
    """A home whose warehouse holds the recorded states of sectors and ranges, in their order."""

    def make(folder: Path) -> None:
        load(folder / "warehouse.duckdb", [recorded / state for state in STATES])
        Home(folder).marts(*MODELS)

    return Home(made_once(run_directory / "sectors", make))


@pytest.fixture(scope="session")
def warehouse(
    built: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of its warehouse: DuckDB opens one file only once in a process, in one way."""
    copy = tmp_path_factory.mktemp("copy") / "warehouse.duckdb"
    shutil.copy(built.path / "warehouse.duckdb", copy)
    with duckdb.connect(str(copy)) as connection:
        yield connection


@pytest.fixture(scope="session")
def held(built: Home) -> Iterator[Map]:
    """What `colleges which` asks, on that warehouse."""
    settings = Settings(home=built.path, target="duckdb", mongodb_uri=None)
    with open_warehouse(settings, purpose="read").connect() as connection:
        yield Map(connection)
