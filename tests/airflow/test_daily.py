"""Whole runs of both DAGs by `airflow dags test`, against the replay portal."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import Airflow, Run

pytestmark = pytest.mark.timeout(1800)  # whole runs, on a machine that may be busy

PRODUCER = "dbt.dbt_producer_watcher"
BUILT_AFTER = {"dbt.dbt_producer_watcher_done", "docs", "dashboard"}


class Day:
    """A day on one state: ingest and build, then ingest again with nothing new."""

    def __init__(self, airflow: Airflow, state: Path) -> None:
        self.airflow = airflow
        self.first = airflow.dag_test("colleges_ingest", portal_state=str(state))
        self.build = airflow.dag_test("colleges_dbt")
        self.rows = self._rows_of_raw()
        self.second = airflow.dag_test("colleges_ingest", portal_state=str(state))
        self.rows_after = self._rows_of_raw()

    def _rows_of_raw(self) -> int:
        return self.airflow.ask(
            "select sum(estimated_size) from duckdb_tables() where schema_name = 'raw'"
        )[0]


@pytest.fixture(scope="module", params=["sample", "recorded"])
def day(request: pytest.FixtureRequest, new_airflow: Callable[[], Airflow]) -> Day:
    state: Path = request.getfixturevalue(request.param)
    return Day(new_airflow(), state if request.param == "sample" else state / "2021-05")


def test_the_daily_run_is_green_whole(day: Day) -> None:
    for run in (day.first, day.build):
        assert run.state == "success", run.log[-3000:]
        assert set(run.tasks.values()) == {"success"}


def test_docs_and_dashboard_were_made(day: Day) -> None:
    assert (day.airflow.project / "made-docs").exists()
    assert (day.airflow.project / "made-dashboard").exists()


def test_a_day_without_changes_writes_nothing_and_does_not_call_dbt(day: Day) -> None:
    assert day.second.state == "success", day.second.log[-3000:]
    assert day.second.where("skipped") == {"new_data"}
    assert day.rows_after == day.rows > 0
    events = day.airflow.query("select extra from asset_event")
    assert len(events) == 1


def test_the_numbers_are_those_of_the_pipeline(day: Day, request: pytest.FixtureRequest) -> None:
    colleges = day.airflow.ask("select count(*), count_if(is_open) from marts.dim_college")
    years = day.airflow.ask(
        "select count(*), count(distinct school_year) from marts.fct_college_school_year"
    )
    if request.node.callspec.params["day"] == "recorded":
        assert colleges == (115, 114)
        assert years == (572, 5)
    else:
        assert colleges[0] > colleges[1] > 100
        assert years[0] > 400


@pytest.fixture(scope="module")
def state_with_a_cut_dataset(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("cut") / "state"
    shutil.copytree(sample, state)
    (records,) = state.glob("*/arrondissements/records.jsonl")
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(b"".join(lines[:-1]))
    return state


def test_a_failing_dataset_stops_nothing_else_and_is_named_once(
    new_airflow: Callable[[], Airflow],
    state_with_a_cut_dataset: Path,
    webhook: tuple[str, list[str]],
) -> None:
    address, texts = webhook
    airflow = new_airflow()
    airflow.extra["COLLEGES_ALERT_WEBHOOK"] = address
    run = airflow.dag_test("colleges_ingest", portal_state=str(state_with_a_cut_dataset))
    assert run.state == "failed"
    assert run.where("failed") == {"extract.arrondissements", "report"}
    assert run.where("success") == set(run.tasks) - run.where("failed")
    (text,) = texts
    assert "colleges_ingest" in text
    assert "extract.arrondissements: arrondissements" in text
    assert "see the log" not in text
    # nothing of it landed, not even a table
    assert airflow.ask(
        "select count(*) from information_schema.tables where table_schema = 'raw'"
        " and table_name = 'opendata_paris__arrondissements'"
    ) == (0,)
    (others,) = airflow.ask(
        "select count(*) from raw.opendata_paris__etablissements_scolaires_colleges"
    )
    assert others > 100


@pytest.fixture
def broken_model(day: Day) -> Iterator[str]:
    """Breaks a model that has children, and mends it again."""
    (model,) = day.airflow.project.glob("models/**/int_college__school_years.sql")
    whole = model.read_text("utf-8")
    model.write_text(f"{whole}\nwhere no_such_column = 1\n", "utf-8")
    day.airflow.parse()
    yield model.stem
    model.write_text(whole, "utf-8")
    day.airflow.parse()


@pytest.mark.parametrize("day", ["sample"], indirect=True)
def test_a_broken_model_stops_its_branch_alone_and_is_named(
    day: Day, broken_model: str, webhook: tuple[str, list[str]]
) -> None:
    address, texts = webhook
    day.airflow.extra["COLLEGES_ALERT_WEBHOOK"] = address
    run = day.airflow.dag_test("colleges_dbt")
    assert run.state == "failed"
    assert _nodes(run, "failed") == {f"dbt.{broken_model}.run"}
    stopped = run.where("upstream_failed")
    assert {"dbt.dim_college.run", "docs"} <= stopped
    built = run.where("success")
    assert {"dbt.stg_opendata_paris__sectors.run", "dbt.fct_source_load.run"} <= built
    (text,) = texts
    assert f"dbt.{broken_model}.run: " in text
    assert "no_such_column" in text
    assert "dashboard" in text  # among what did not run


def _nodes(run: Run, state: str) -> set[str]:
    return run.where(state) - {PRODUCER, "report"} - BUILT_AFTER
