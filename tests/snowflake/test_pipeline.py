"""The whole pipeline on Snowflake, as far as a fake account shows it, held against DuckDB.

A process a command (tests/programs.py): command line, dlt, dbt-snowflake and the connector, on the
synthetic sample, which has an edit, a withdrawal and a change of every kind. The recorded states go
the same way in test_check.py. Everything is built once, and the tests look at what was kept of it.
The data tests run in the last build.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingestion.settings import PROJECT_DIR
from tests.snowflake.check import TwoWarehouses, succeed
from tests.snowflake.conftest import WITHOUT_TESTS, Fake

# Three minutes on two idle processors; the limit is for a machine that is not idle.
pytestmark = pytest.mark.timeout(1800)

MADE = re.compile(
    r"create (?:or replace\s+)?(?P<kind>(?:\w+ )*?)(?P<what>table|view)\s+\w+\.(?P<name>\w+\.\w+)",
    re.I,
)


@pytest.fixture(scope="module")
def story(account: Fake) -> Iterator[SimpleNamespace]:
    """Three states, built after a refusal; the last again; a fourth; both warehouses compared."""
    account.control(refuse=[], without=[], empty_log=True)
    fake = account.with_database()
    # Short, for mongod's socket.
    home = Path(tempfile.mkdtemp(prefix="colleges-sf-", dir="/tmp"))
    both = TwoWarehouses(home, fake.environ)
    told = SimpleNamespace(both=both, fake=fake, outputs=[])

    def run(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        fake.control(empty_log=True)
        done = both.colleges("run", *arguments, **environ)
        told.outputs += [done.stdout, done.stderr]
        return done

    try:
        sample = succeed(both.colleges("sample", "--out", home / "sample"))
        *first, last = (Path(line) for line in sample.splitlines())

        says = f"Insufficient privileges to operate on database '{fake.database}'."
        fake.control(refuse=[{"pattern": "create schema.*(staging|marts)", "says": says}])
        told.refused = run(*(word for state in first for word in ("--portal", state)))
        fake.control(refuse=[])
        # Before the next run, whose ledger entry would go to DuckDB now and to Snowflake only with
        # the next load that carries data.
        both.build_duckdb()

        told.built = run("--portal", first[-1], **WITHOUT_TESTS)
        succeed(told.built)
        told.built_log = fake.log
        told.differences_at_first = both.differences()

        told.again = run("--portal", first[-1], "--force")
        succeed(told.again)
        told.again_log = fake.log

        told.state = home / "production"
        told.state.mkdir()
        shutil.copy(home / "target-snowflake" / "manifest.json", told.state)

        succeed(run("--portal", last))
        told.changed_log = fake.log
        both.build_duckdb()
        told.differences_at_last = both.differences()
        yield told
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_a_refused_build_says_so_and_the_next_run_completes_it(story: SimpleNamespace) -> None:
    assert story.refused.returncode == 1
    # dbt's own output, which a run shows where a build failed
    assert "Insufficient privileges to operate on database" in story.refused.stderr
    assert "`dbt build` failed" in story.refused.stderr
    assert "Traceback" not in story.refused.stdout + story.refused.stderr
    # What was loaded stayed loaded: the next run put nothing more into raw, and built.
    assert story.built.returncode == 0
    assert not any("uploaded" in entry for entry in story.built_log)
    assert any("marts.dim_college" in entry.get("sql", "") for entry in story.built_log)


def test_every_table_is_equal_after_a_first_build(story: SimpleNamespace) -> None:
    assert story.differences_at_first == []


def test_every_table_is_equal_after_more_data(story: SimpleNamespace) -> None:
    assert story.differences_at_last == []


def test_what_was_compared_holds_every_kind_of_row(story: SimpleNamespace) -> None:
    query = story.both.snowflake
    assert {kind for (kind,) in query("select edit_type from marts.fct_portal_edit")} == {
        "edited",
        "withdrawn",
        "restored",
    }
    assert {kind for (kind,) in query("select change_type from marts.fct_college_change")} >= {
        "closed",
        "renamed",
        "relocated",
        "point_moved",
        "respelled",
    }
    empty = {
        table
        for (table,) in query(
            "select lower(table_name) from information_schema.tables"
            " where lower(table_schema) = 'marts'"
        )
        if not table.endswith("__dbt_tmp")
        and query(f"select count(*) from marts.{table}") == [(0,)]
    }
    # where nothing is in doubt, and no person has decided anything
    assert {name for name in empty if not name.startswith("rpt_")} <= {"bridge_college_id_alias"}


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


def test_the_same_state_again_asks_nothing(story: SimpleNamespace) -> None:
    assert story.again_log == []  # not even signed in
    assert story.again.stdout.startswith("No record changed.")


def test_every_table_is_made_under_its_own_tag(story: SimpleNamespace) -> None:
    """The session that makes a table had been told the run and that table, and UTC."""
    tag_of: dict[int, dict[str, str]] = {}
    runs, made = set(), set()
    for entry in story.built_log:
        sql = entry.get("sql", "")
        if tag := re.search(r"query_tag = '(\{.*?\})', timezone = 'UTC'", sql):
            tag_of[entry["session"]] = json.loads(tag[1])
        elif found := MADE.search(sql):
            name = found["name"].lower().removesuffix("__dbt_tmp")
            tag = tag_of[entry["session"]]
            assert (tag["app"], tag["model"]) == ("paris_colleges", name)
            runs.add(tag["run"])
            made.add(name)
    assert len(runs) == 1
    assert {"marts.dim_college", "staging.stg_record_versions", "reference.uai_decisions"} <= made
    signed_in = [entry["parameters"]["QUERY_TAG"] for entry in story.built_log if "login" in entry]
    assert set(signed_in) == {"paris_colleges load", "paris_colleges dbt"}


def test_only_what_cannot_be_rebuilt_is_permanent(story: SimpleNamespace) -> None:
    kinds = {
        found["name"].lower(): found["kind"].strip()
        for entry in story.built_log
        if (found := MADE.search(entry.get("sql", ""))) and found["what"] == "table"
    }
    permanent = {name for name, kind in kinds.items() if kind not in ("transient", "temporary")}
    assert permanent == {"snapshots.college_ids_published", "snapshots.college_records_seen"}
    assert {"marts.dim_college", "intermediate.int_college__identities"} <= kinds.keys()


def test_a_daily_run_costs_what_the_page_says(story: SimpleNamespace) -> None:
    """docs/snowflake.md, "What it costs", of a run that found changes."""
    statements = [entry["sql"] for entry in story.changed_log if "sql" in entry]
    uploaded = sum(entry.get("uploaded", 0) for entry in story.changed_log)
    tests = [sql for sql in statements if '"node_id": "test.' in sql]
    counted = len(tests), len(statements) - len(tests), uploaded
    expected = (range(250, 310), range(460, 570), range(300_000, 450_000))
    assert all(n in among for n, among in zip(counted, expected, strict=True)), counted


def test_every_unit_test_holds(story: SimpleNamespace) -> None:
    output = succeed(story.both.dbt("test", "--selector", "unit_tests"))
    passed = re.search(r"PASS=(\d+) WARN=0 ERROR=0 SKIP=0", output)
    assert passed
    assert int(passed[1]) > 40


@pytest.fixture(scope="module")
def changed_project(story: SimpleNamespace) -> Path:
    """A copy of the dbt project in which one model is another."""
    project: Path = story.both.home / "changed"
    for name in ("models", "macros", "seeds", "snapshots", "tests/data"):
        shutil.copytree(PROJECT_DIR / name, project / name)
    for name in ("dbt_project.yml", "selectors.yml"):
        shutil.copy(PROJECT_DIR / name, project)
    model = project / "models" / "marts" / "fct_college_neighbourhood.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\n-- changed\n", encoding="utf-8")
    return project


def test_production_is_cloned(story: SimpleNamespace, changed_project: Path) -> None:
    story.fake.control(empty_log=True)
    succeed(
        story.both.dbt(
            *("clone", "--state", str(story.state)),
            project=changed_project,
            COLLEGES_SCHEMA_PREFIX="pr_1",
        )
    )
    statements = [" ".join(sql.lower().split()) for sql in story.fake.statements]
    clones = [sql for sql in statements if " clone " in sql]
    of_production = f"{story.fake.database}.marts.dim_college ".lower()
    assert any(
        sql.startswith("create or replace transient table") and f" clone {of_production}" in sql
        for sql in clones
    )
    snapshots = [sql for sql in clones if "_snapshots." in sql]
    assert len(snapshots) == 2
    assert not any("transient" in sql for sql in snapshots)
    query = story.both.snowflake
    for table in ("marts.dim_college", "snapshots.college_ids_published"):
        assert query(f"select * from pr_1_{table} order by college_id") == query(
            f"select * from {table} order by college_id"
        )


def test_a_slim_build_defers_to_production(story: SimpleNamespace, changed_project: Path) -> None:
    """What changed is built under a prefix, and reads the rest from production."""
    story.fake.control(empty_log=True)
    succeed(
        story.both.dbt(
            *("build", "--selector", "slim_ci", "--defer", "--favor-state"),
            *("--state", str(story.state)),
            project=changed_project,
            COLLEGES_SCHEMA_PREFIX="pr_1",
        )
    )
    made = {
        found["name"].lower(): " ".join(sql.lower().split())
        for sql in story.fake.statements
        # and not for the time of a unit test
        if (found := MADE.search(sql)) and not found["name"].lower().endswith("__dbt_tmp")
    }
    neighbourhood = "pr_1_marts.fct_college_neighbourhood"
    after = {"pr_1_marts.agg_arrondissement_school_year", "pr_1_marts.agg_school_year"}
    assert made.keys() == {neighbourhood} | after
    database = story.fake.database.lower()
    # Read from production what is not changed, and what is from the build itself.
    assert f" {database}.marts." in made[neighbourhood]
    assert f" {database}.pr_1_" not in made[neighbourhood].split(" as ", 1)[1]
    assert all(f" {database}.{neighbourhood}" in made[name] for name in after)
    query = story.both.snowflake
    for name in made:
        of_production = name.removeprefix("pr_1_")
        assert query(f"select count(*) from {name}") == query(
            f"select count(*) from {of_production}"
        )


def test_no_secret_anywhere(story: SimpleNamespace) -> None:
    """Not a line of the private key nor a token, in output, a log, an artifact or dlt's files."""
    secrets = [secret.encode() for secret in story.fake.secrets]
    assert len(secrets) > 20
    files = [path for path in story.both.home.rglob("*") if path.is_file() and not path.is_socket()]
    names = {path.name for path in files}
    assert {"dbt.log", "manifest.json", "run_results.json", "warehouse.duckdb"} <= names
    held = {str(path): path.read_bytes() for path in files}
    held |= {f"output {i}": text.encode() for i, text in enumerate(story.outputs)}
    for where, content in held.items():
        assert not any(secret in content for secret in secrets), where
        # the token the key pair signs: header and claims, both JSON in base64
        assert not re.search(rb"eyJ[\w-]{10,}\.eyJ", content), where
