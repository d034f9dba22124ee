"""The DAGs as files: they import in silence, bound everything, and mirror dbt's manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installation import AIRFLOW, Airflow

from ingestion.registry import registry

Task = dict[str, Any]
pytestmark = pytest.mark.timeout(1800)  # whole runs, on a machine that may be busy

PRODUCER = "dbt.dbt_producer_watcher"


@pytest.fixture(scope="module")
def airflow(new_airflow: Callable[[], Airflow]) -> Airflow:
    return new_airflow()


@pytest.fixture(scope="module")
def dumped(airflow: Airflow) -> dict[str, Any]:
    airflow.extra["COLLEGES_TASK_RETRIES"] = ""
    dump = Path(__file__).with_name("dump_dags.py")
    done = airflow.call(AIRFLOW / "python", dump, airflow.project / "orchestration/dags")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index('{"errors"') :])


@pytest.fixture(scope="module")
def ingest(dumped: dict[str, Any]) -> dict[str, Task]:
    return dumped["dags"]["colleges_ingest"]["tasks"]


@pytest.fixture(scope="module")
def dbt(dumped: dict[str, Any]) -> dict[str, Task]:
    return dumped["dags"]["colleges_dbt"]["tasks"]


@pytest.fixture(scope="module")
def manifest(airflow: Airflow) -> dict[str, Any]:
    return json.loads((airflow.project / "target/manifest.json").read_text("utf-8"))


def test_both_import_without_an_error_or_a_warning(dumped: dict[str, Any]) -> None:
    assert dumped["errors"] == {}
    assert dumped["warnings"] == []
    assert set(dumped["dags"]) == {"colleges_ingest", "colleges_dbt"}


def test_runs_never_overlap_nor_run_for_ever(dumped: dict[str, Any]) -> None:
    for dag in dumped["dags"].values():
        assert dag["max_active_runs"] == 1
        assert not dag["catchup"]
        assert dag["timeout_s"] <= 4 * 3600
        for name, task in dag["tasks"].items():
            assert task["timeout_s"], name


def test_ingest_is_daily_on_paris_time_and_dbt_waits_for_data(dumped: dict[str, Any]) -> None:
    daily = dumped["dags"]["colleges_ingest"]
    assert (daily["timetable"], daily["timezone"]) == ("15 6 * * *", "Europe/Paris")
    assert "colleges_raw" in dumped["dags"]["colleges_dbt"]["schedule"]
    assert {"target", "full_refresh", "portal_state"} == set(daily["params"])
    assert {"target", "full_refresh"} == set(dumped["dags"]["colleges_dbt"]["params"])


def test_what_writes_has_one_slot_and_what_may_pass_is_tried_again(
    ingest: dict[str, Task], dbt: dict[str, Task]
) -> None:
    for name, task in (ingest | dbt).items():
        if name == "report":
            assert task["retries"] == 0  # it posts, and must post once
            continue
        if name == PRODUCER or task["class"] == "EmptyOperator":
            continue  # the nodes' own tasks try again
        assert task["pool"] == "colleges", name
        assert task["retries"] >= 1, name
        assert task["has_back_off"], name
    assert dbt[PRODUCER]["pool"] == "colleges"


def test_one_task_per_dataset_none_waiting_for_another(ingest: dict[str, Task]) -> None:
    extracts = {f"extract.{dataset_id}" for dataset_id in registry()}
    assert {name for name in ingest if name.startswith("extract.")} == extracts
    assert all(ingest[name]["upstream"] == [] for name in extracts)
    assert set(ingest["load"]["upstream"]) == extracts
    assert ingest["load"]["trigger_rule"] == "all_done_min_one_success"
    assert [name for name, task in ingest.items() if task["outlets"]] == ["new_data"]


def test_the_report_follows_everything_whatever_happened(
    ingest: dict[str, Task], dbt: dict[str, Task]
) -> None:
    for tasks in (ingest, dbt):
        assert tasks["report"]["trigger_rule"] == "all_done"
        assert _above("report", tasks) == set(tasks) - {"report"}


def test_every_node_has_a_task_after_those_of_its_parents_and_their_tests(
    dbt: dict[str, Task], manifest: dict[str, Any]
) -> None:
    runs = {task["node"]: name for name, task in dbt.items() if not name.endswith("test")}
    tests = {task["node"]: name for name, task in dbt.items() if name.endswith("test")}
    nodes = {
        node: parents
        for node, parents in manifest["parent_map"].items()
        if node.split(".")[0] in ("model", "seed", "snapshot")
    }
    assert set(nodes) <= set(runs)
    for node, parents in nodes.items():
        above = _above(runs[node], dbt)
        for parent in set(parents) & set(nodes):
            assert runs[parent] in above, f"{node} does not wait for {parent}"
            if parent in tests:
                assert tests[parent] in above, f"{node} does not wait for the tests of {parent}"


def test_every_test_of_a_node_is_shown_by_one_task(
    dbt: dict[str, Task], manifest: dict[str, Any]
) -> None:
    shown = [test for tests in dbt[PRODUCER]["tests_per_model"].values() for test in tests]
    assert len(shown) == len(set(shown)), "a test of two models stands under both"
    watched = {task["node"] for name, task in dbt.items() if name.endswith("test")}
    for node, tests in dbt[PRODUCER]["tests_per_model"].items():
        assert not tests or node in watched, f"nobody shows the tests of {node}"
    for node, parents in manifest["parent_map"].items():
        of_nodes = [p for p in parents if p.split(".")[0] in ("model", "seed", "snapshot")]
        if node.startswith("test.") and of_nodes:
            assert node in shown


def test_docs_and_dashboard_come_last(dbt: dict[str, Task]) -> None:
    for name in ("docs", "dashboard"):
        assert {task for task in dbt if task.startswith("dbt.")} <= _above(name, dbt)
        assert dbt[name]["trigger_rule"] == "all_success"


def _above(name: str, tasks: dict[str, Task]) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        for upstream in tasks[todo.pop()]["upstream"]:
            if upstream not in found:
                found.add(upstream)
                todo.append(upstream)
    return found
