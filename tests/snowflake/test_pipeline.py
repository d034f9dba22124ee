"""The whole pipeline on Snowflake, as far as a fake account shows it, held against DuckDB.

Real processes throughout: command line, dlt, dbt-snowflake and the connector. The two recorded
states where they are there, the synthetic sample elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingestion.settings import PROJECT_DIR
from tests.snowflake.check import WITHOUT_TESTS, TwoWarehouses, succeed
from tests.snowflake.conftest import Fake

# Minutes on an idle machine; the limit is for one that is not.
pytestmark = pytest.mark.timeout(1800)

RECORDED = PROJECT_DIR.parent / "shared" / "portal"


@pytest.fixture(scope="module")
def story(account: Fake) -> Iterator[SimpleNamespace]:
    """A first state, the same again, a second one; both warehouses compared after each."""
    account.control(refuse=[], without=[], empty_log=True)
    fake = account.with_database()
    # Short, for mongod's socket.
    home = Path(tempfile.mkdtemp(prefix="colleges-sf-", dir="/tmp"))
    both = TwoWarehouses(home, fake.environ)
    told = SimpleNamespace(both=both, fake=fake, is_recorded=(RECORDED / "2021-05").is_dir())
    try:
        if told.is_recorded:
            first, second = RECORDED / "2021-05", RECORDED / "2024-11"
        else:
            sample = succeed(both.colleges("sample", "--out", home / "sample"))
            first, second = (Path(line) for line in sample.splitlines()[:2])

        told.output = succeed(both.colleges("run", "--portal", first))
        told.first_log = fake.log
        both.build_duckdb()
        told.first = both.differences()

        fake.control(empty_log=True)
        again = both.colleges("run", "--portal", first, "--force")
        succeed(again)
        told.again_log, told.again = fake.log, again.stdout + again.stderr

        told.manifest = home / "production"
        told.manifest.mkdir()
        shutil.copy(home / "target-snowflake" / "manifest.json", told.manifest)

        succeed(both.colleges("run", "--portal", second, "--no-build"))
        succeed(both.dbt("build", *WITHOUT_TESTS))
        both.build_duckdb()
        told.second = both.differences()
        yield told
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_first_state_is_equal(story: SimpleNamespace) -> None:
    assert story.first == []


def test_second_state_is_equal(story: SimpleNamespace) -> None:
    assert story.second == []


def test_the_comparison_sees_a_difference(story: SimpleNamespace) -> None:
    fake: Fake = story.fake
    fake.query("create table marts.kept as select * from marts.dim_arrondissement")
    fake.query(
        "update marts.dim_arrondissement set area_km2 = area_km2 + 0.001 where"
        " arrondissement_number = 1"
    )
    try:
        told = story.both.differences()
        assert [line.split(":")[0].split(" (")[0] for line in told] == [
            "marts.dim_arrondissement",
            "marts.kept",
        ]
        assert "1 rows only in the first" in told[0]
    finally:
        fake.query("drop table marts.dim_arrondissement")
        fake.query("alter table marts.kept rename to marts.dim_arrondissement")


def test_numbers_of_the_recorded_states(story: SimpleNamespace) -> None:
    if not story.is_recorded:
        pytest.skip(f"no recorded portal states at {RECORDED}")
    query = story.both.snowflake
    assert "115 114" in story.output
    assert query("select count(*), count_if(is_open), count(uai) from marts.dim_college") == [
        (115, 114, 114)
    ]
    assert query("select count(*) from marts.fct_college_school_year") == [(686,)]
    assert query(
        "select count(*), count_if(is_withdrawn) from staging.stg_opendata_paris__colleges"
    ) == [(571, 457)]


def test_the_same_state_again_asks_nothing(story: SimpleNamespace) -> None:
    assert story.again_log == []
    assert "nothing changed since the last build" in story.again


def test_every_statement_of_dbt_says_its_run_and_model(story: SimpleNamespace) -> None:
    tags = [
        json.loads(entry["sql"].split("query_tag = '")[1].split("'")[0])
        for entry in story.first_log
        if "query_tag = '{" in entry.get("sql", "")
    ]
    assert {"marts.dim_college", "staging.stg_opendata_paris__colleges"} <= {
        tag["model"] for tag in tags
    }
    assert len({tag["run"] for tag in tags}) == 1
    signed_in = [entry["parameters"] for entry in story.first_log if "login" in entry]
    assert all(parameters.get("QUERY_TAG") for parameters in signed_in)


def test_staging_is_transient_and_snapshots_are_not(story: SimpleNamespace) -> None:
    made = [
        " ".join(entry["sql"].lower().split())
        for entry in story.first_log
        if entry.get("sql", "").lower().lstrip().startswith("create or replace")
    ]
    assert any(
        sql.startswith("create or replace transient table") and ".marts.dim_college" in sql
        for sql in made
    )
    snapshots = [sql for sql in made if "snapshots.college_ids_published" in sql]
    assert snapshots
    assert not any("transient" in sql.split(" as ")[0] for sql in snapshots)


def test_a_slim_build_defers_to_production(story: SimpleNamespace) -> None:
    """A changed model is built under a prefix, and reads the rest from production."""
    project = story.both.home / "slim"
    for name in ("models", "macros", "seeds", "snapshots", "tests/data"):
        shutil.copytree(PROJECT_DIR / name, project / name)
    for name in ("dbt_project.yml", "selectors.yml"):
        if (PROJECT_DIR / name).exists():
            shutil.copy(PROJECT_DIR / name, project)
    model = project / "models" / "marts" / "dim_arrondissement.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\n-- changed\n", encoding="utf-8")
    story.fake.control(empty_log=True)
    done = story.both.dbt(
        *("build", "--select", "state:modified+", "--defer", "--state", str(story.manifest)),
        *WITHOUT_TESTS,
        project=project,
        COLLEGES_SCHEMA_PREFIX="pr_1",
    )
    succeed(done)
    built = [
        (schema, name)
        for schema, name in story.both.snowflake(
            "select lower(table_schema), lower(table_name) from information_schema.tables"
        )
        if schema.startswith("pr_1")
    ]
    assert ("pr_1_marts", "dim_arrondissement") in built
    assert "dim_college" not in {name for _, name in built}
    assert any(".staging." in sql.lower() for sql in story.fake.statements)


def test_no_secret_anywhere(story: SimpleNamespace) -> None:
    """Not a line of the private key, nor a token, in a log, an artifact or dlt's files."""
    key = story.fake.key_path.read_text().splitlines()[1:-1]
    texts = [story.output, story.again]
    for directory, _, names in os.walk(story.both.home):
        texts += [
            Path(directory, name).read_text(encoding="utf-8", errors="replace")
            for name in names
            if not directory.startswith(str(story.both.home / "mongodb"))
            and name.endswith((".log", ".json", ".txt", ".sql", ".yml", ".msgpack"))
        ]
    assert len(texts) > 50
    for secret in (*key, "eyJ"):
        assert not any(secret in text for text in texts)
