"""`make snowflake-check` itself: the whole of it, what it refuses, and that it cleans up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestion.errors import ReconciliationError, SettingsError
from ingestion.settings import PROJECT_DIR
from tests.snowflake.check import TwoWarehouses, check, succeed
from tests.snowflake.conftest import Fake

pytestmark = pytest.mark.timeout(300)

RECORDED = PROJECT_DIR.parent / "shared" / "portal"
FACTS = {
    "collèges ever seen, open, with a UAI": (
        "select count(*), count_if(is_open), count(uai) from marts.dim_college"
    ),
    "collèges × school years": "select count(*) from marts.fct_college_school_year",
    "records, and withdrawn": (
        "select count(*), count_if(is_withdrawn) from staging.stg_opendata_paris__colleges"
    ),
    "changes": (
        "select change_type, count(*) from marts.fct_college_change"
        " where change_type <> 'respelled' group by 1 order by 1"
    ),
}


# A minute on two idle processors; the limit is for a machine that is not idle.
@pytest.mark.timeout(1800)
def test_the_whole_check(fake: Fake, tmp_path: Path) -> None:
    """On the recorded states, whose numbers are known, or on a state of the sample."""
    is_recorded = (RECORDED / "2021-05").is_dir()
    if is_recorded:
        states = [RECORDED / "2021-05", RECORDED / "2024-11"]
    else:
        sample = TwoWarehouses(tmp_path, fake.environ).colleges("sample", "--out", tmp_path / "s")
        states = [Path(succeed(sample).splitlines()[0])]
    said: list[str] = []
    facts: list[dict[str, Any]] = []

    def say(line: str) -> None:
        said.append(line.strip())
        if said[-1].startswith("equal"):
            facts.append({name: fake.query(sql) for name, sql in FACTS.items()})
            fake.control(empty_log=True)

    # Built once: a build after each state is the story of test_pipeline.py.
    environ = fake.environ | {"SNOWFLAKE_CHECK_DATABASE": fake.database}
    check(states, environ, say, builds_each=False)

    named = ", ".join(map(str, states))
    assert said == [
        f"{named}: load and build on Snowflake, then on DuckDB",
        "equal in every mart, snapshot and seed",
        "the same state again: nothing loaded, nothing built",
        f"dropped what was made in {fake.database}",
    ]
    # After the last comparison came the same state again, which asked nothing, and the end.
    assert all(sql.lower().startswith("drop schema") for sql in fake.statements)
    assert TwoWarehouses(tmp_path, fake.environ).schemas() == set()
    if is_recorded:
        assert facts == [
            {
                "collèges ever seen, open, with a UAI": [(115, 114, 114)],
                "collèges × school years": [(686,)],
                "records, and withdrawn": [(571, 457)],
                "changes": [
                    ("closed", 1),
                    ("point_moved", 1),
                    ("relocated", 1),
                    ("renamed", 2),
                ],
            }
        ]


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
