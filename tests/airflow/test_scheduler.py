"""Under the real scheduler: new data starts dbt, a day without changes does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import AIRFLOW, Airflow

ENDED = ("success", "failed")


@pytest.fixture
def scheduled(new_airflow: Callable[[], Airflow]) -> Iterator[Airflow]:
    """`orchestration/start`, on one dataset and one model: the rest adds minutes and no risk."""
    airflow = new_airflow()
    project = airflow.project
    model = "stg_source_loads"
    kept = ("_groups.yml", "_bookkeeping__sources.yml", f"{model}.sql", f"{model}.yml")
    for folder in ("models", "seeds", "snapshots", "tests/data"):
        for path in [*(project / folder).rglob("*.*")]:
            if path.name not in kept and path.parent.name != "generic":
                path.unlink()
    registry = (project / "ingestion/datasets.yml").read_text("utf-8").split("\n  - id: ")
    one = next(entry for entry in registry if entry.startswith("arrondissements\n"))
    text = f"{registry[0]}\n  - id: {one}"
    (project / "ingestion/datasets.yml").write_text(text, "utf-8")
    # Otherwise today's run would start by itself, and read the live portals.
    dag = project / "orchestration/dags/colleges_ingest.py"
    daily = 'CronTriggerTimetable("15 6 * * *", timezone="Europe/Paris")'
    assert daily in dag.read_text("utf-8")
    dag.write_text(dag.read_text("utf-8").replace(f"schedule={daily}", "schedule=None"), "utf-8")

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    airflow.extra |= {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__INTERNAL_API_SECRET_KEY": "test",
    }
    prepared = airflow.call(project / "orchestration/start", "--prepare", timeout=600)
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    log = airflow.home / "standalone.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project / "orchestration/start"],
            cwd=project,
            env=airflow.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield airflow
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, how)
                process.wait(30)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


@pytest.mark.timeout(2400)
def test_new_data_starts_dbt_and_no_change_does_not(scheduled: Airflow, sample: Path) -> None:
    _wait(lambda: _is_known(scheduled), 600, "the DAGs to be read", scheduled)
    first = _ingest(scheduled, sample, run=1)
    assert first == {
        "extract.arrondissements": "success",
        "load": "success",
        "new_data": "success",
        "report": "success",
    }
    _wait(lambda: _ended(scheduled, "colleges_dbt") == 1, 600, "dbt to have ended", scheduled)
    ((kind, state, run_id),) = scheduled.query(
        "select run_type, state, run_id from dag_run where dag_id = 'colleges_dbt'"
    )
    assert (kind, state) == ("asset_triggered", "success")
    assert scheduled.tasks("colleges_dbt", run_id)["dbt.stg_source_loads.run"] == "success"
    assert scheduled.ask("select count(*) from staging.stg_source_loads")[0] > 0

    second = _ingest(scheduled, sample, run=2)
    assert second["new_data"] == "skipped"
    time.sleep(15)  # several of the scheduler's rounds
    assert scheduled.query("select count(*) from dag_run where dag_id = 'colleges_dbt'") == [(1,)]


def _ingest(airflow: Airflow, state: Path, *, run: int) -> dict[str, str]:
    conf = f'{{"portal_state": "{state}"}}'
    triggered = airflow.call(
        *(AIRFLOW / "airflow", "dags", "trigger", "colleges_ingest"),
        *("--run-id", f"run-{run}", "--conf", conf),
    )
    assert triggered.returncode == 0, triggered.stderr
    _wait(lambda: _ended(airflow, "colleges_ingest") == run, 600, f"run {run}", airflow)
    return airflow.tasks("colleges_ingest", f"run-{run}")


def _is_known(airflow: Airflow) -> bool:
    known = airflow.query("select count(*) from serialized_dag")
    return known == [(2,)]


def _ended(airflow: Airflow, dag: str) -> int:
    runs = airflow.query("select state from dag_run where dag_id = ?", dag)
    return sum(state in ENDED for (state,) in runs)


def _wait(condition: Callable[[], bool], seconds: int, what: str, airflow: Airflow) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        log = (airflow.home / "standalone.log").read_text("utf-8", errors="replace")
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}\n{log[-4000:]}"
        time.sleep(1)
