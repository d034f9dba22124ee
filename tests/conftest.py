"""Fixtures shared by every test: a real mongod, a database of one's own, the recorded states."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from ingestion.mongodb import connect
from ingestion.settings import PROJECT_DIR, Settings
from sandbox.mongod import embedded

# dbt, sqlglot and the readers of pages make millions of small objects; at its default of 700 the
# collector goes through all of them again and again.
gc.set_threshold(100_000)

LONGEST = (
    "tests/dashboard/test_page.py",
    "tests/snowflake/test_pipeline.py",
    "tests/faults/test_kill.py",
    "tests/docs_site/test_site.py",
    "tests/docs_site/test_parent.py",
    "tests/end_to_end/test_recorded_states.py",
    "tests/review/test_project.py",
    "tests/review/test_report.py",
    "tests/faults/test_marts.py",
    "tests/faults/test_servers.py",
    "tests/faults/test_replay.py",
    "tests/snowflake/test_check.py",
    "tests/mutations/test_school_years.py",
    "tests/lint/test_seeded_faults.py",
)
"""Files that take a minute and more. They begin, so that no worker is left with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; all others stay in their order."""
    rank = {PROJECT_DIR / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """The command line sets the levels of loggers; after a test they are as they were."""
    loggers = logging.getLogger("ingestion"), logging.getLogger("sandbox")
    before = [(one, one.level) for one in (*loggers, *logging.getLogger().handlers)]
    yield
    for one, level in before:
        one.setLevel(level)


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the workers of this run share, for what one of them makes for all."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def mongod() -> Iterator[str]:
    """The URI of one real server for the session, for each worker under xdist."""
    # Short, so that the socket's path fits.
    home = Path(tempfile.mkdtemp(prefix="colleges-test-", dir="/tmp"))
    try:
        with embedded(home) as uri:
            yield uri
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def settings(mongod: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a fresh home on DuckDB, whose ``mongodb_uri`` names a fresh database.

    The database is dropped afterwards. For a home with a mongod of its own, make a ``Settings``
    without ``mongodb_uri``.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    uri = mongod.replace("/?", f"/{name}?")
    yield Settings(home=tmp_path, target="duckdb", mongodb_uri=uri)
    with MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(name)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """The fresh database of ``settings``, opened the way the program opens it."""
    with connect(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The directory of recorded portal states (``2021-05``, ``2024-11``); skips where absent."""
    path = PROJECT_DIR.parent / "shared" / "portal"
    if not (path / "2021-05").is_dir():
        pytest.skip(f"no recorded portal states at {path}")
    return path
