"""`make snowflake-check` itself: what it refuses, and that it cleans up.

Its load, build and comparison are those of test_pipeline.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.errors import ReconciliationError, SettingsError
from tests.snowflake.check import TwoWarehouses, check
from tests.snowflake.conftest import Fake

pytestmark = pytest.mark.timeout(300)


def test_a_database_in_use_is_left_alone(fake: Fake, tmp_path: Path) -> None:
    fake.query("create schema marts")
    fake.query("create table marts.precious as select 1 as a")
    environ = fake.environ | {"SNOWFLAKE_CHECK_DATABASE": fake.database}
    with pytest.raises(SettingsError, match="already holds marts"):
        check([tmp_path], environ, lambda line: None)
    assert fake.query("select a from marts.precious") == [(1,)]


def test_only_what_it_makes_is_dropped(fake: Fake, tmp_path: Path) -> None:
    for schema in ("raw", "marts", "other"):
        fake.query(f"create schema {schema}")
        fake.query(f"create table {schema}.t as select 1 as a")
    both = TwoWarehouses(tmp_path, fake.environ)
    assert both.schemas() == {"raw", "marts"}
    both.drop()
    assert both.schemas() == set()
    assert fake.query("select a from other.t") == [(1,)]


def test_it_cleans_up_after_a_failure(fake: Fake, tmp_path: Path) -> None:
    said: list[str] = []
    environ = fake.environ | {"SNOWFLAKE_CHECK_DATABASE": fake.database}
    with pytest.raises(ReconciliationError, match="does not exist"):
        check([tmp_path / "no-such-state"], environ, said.append)
    assert said[-1] == f"dropped what was made in {fake.database}"
    assert any(s.lower().startswith("drop schema if exists marts") for s in fake.statements)
