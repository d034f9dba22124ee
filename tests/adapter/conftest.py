"""dbt's own suites, on DuckDB as this project uses it. Run by ``make test-adapter``."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A file of its own for each suite, with the settings of profiles.example.yml."""
    return {
        "type": "duckdb",
        "path": str(tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb"),
        "threads": 4,
        "settings": {"TimeZone": "UTC"},
    }
