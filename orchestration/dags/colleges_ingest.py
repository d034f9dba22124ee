"""Daily: one task per dataset brings it into MongoDB, then one load brings what is new to raw."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
import yaml
from airflow.sdk import DAG, CronTriggerTimetable, Param, TaskGroup, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException
from colleges_shell import (
    PROJECT,
    RAW,
    TARGET_PARAM,
    TASK_DEFAULTS,
    colleges,
    conclude,
    failure,
)

REGISTRY = yaml.safe_load((PROJECT / "ingestion/datasets.yml").read_text(encoding="utf-8"))

ADVICE = (
    "What was read and loaded is kept; a failed dataset keeps what it had. Mend the cause, then "
    "clear the failed tasks or trigger this DAG again: docs/running-it-daily.md."
)


@task
def extract(dataset_id: str, params: dict[str, Any], ti: Any) -> dict[str, Any]:
    """`colleges extract --dataset ID`; what it did, as the next task's XCom."""
    arguments = ["extract", "--dataset", dataset_id]
    if state := params["portal_state"]:
        if not Path(state).is_dir():
            raise failure(ti, f"portal_state {state} is not a directory here", is_final=True)
        arguments += ["--portal", state]
    if params["full_refresh"]:
        arguments.append("--force")
    report = colleges(ti, *arguments, target=params["target"])
    result = report["runs"][-1]["datasets"][dataset_id]
    if result["withdrawal_refused"]:
        # Read and stored, but a person has to decide: another try would meet the same refusal.
        raise failure(ti, result["withdrawal_refused"], is_final=True)
    if result["error"]:
        raise failure(ti, result["error"])
    return {
        "status": result["status"],
        **{k: v for k, v in result.items() if k.startswith("rows_")},
    }


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
def load(params: dict[str, Any], ti: Any) -> dict[str, Any]:
    """`colleges load`: every finished load the warehouse does not hold yet, then reconcile."""
    return colleges(ti, "load", target=params["target"])


@task(inlets=[RAW], outlets=[RAW], trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
def new_data(
    loaded: dict[str, Any], params: dict[str, Any], inlet_events: Any, outlet_events: Any
) -> None:
    """Say that raw changed, which starts dbt; skip where it did not.

    The run that last wrote a version is compared with the one last announced, rather than the
    rows this load appended counted: what a killed load left in raw is announced by the next one.
    """
    target, newest = params["target"], loaded["loads"][-1]["newest_run_id"]
    announced = next(
        (
            event.extra["newest_run_id"]
            for event in inlet_events[RAW].ascending(False).limit(50)
            if event.extra.get("target") == target
        ),
        None,
    )
    if newest == announced:
        raise AirflowSkipException(f"Nothing new in raw on {target} since run {newest}.")
    outlet_events[RAW].extra = {"target": target, "newest_run_id": newest}


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0, pool="default_pool")
def report(**context: Any) -> None:
    """Fail the run if anything in it failed, and post why."""
    conclude(context, {}, ADVICE)


with DAG(
    "colleges_ingest",
    description=__doc__,
    # After the portals' nightly updates, before anyone looks; outside the hours clocks change in.
    schedule=CronTriggerTimetable("15 6 * * *", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=TASK_DEFAULTS,
    tags=["colleges"],
    params={
        "target": TARGET_PARAM,
        "portal_state": Param(
            None,
            type=["null", "string"],
            description="Back-fill: folder of a recorded portal state to read instead of the live "
            "portals. Oldest first, one run each.",
        ),
        "full_refresh": Param(
            False,
            type="boolean",
            description="Pull every dataset, also those the portal says did not change.",
        ),
    },
):
    with TaskGroup("extract"):
        extracted = [
            # A portal's id may hold an `@`, a task's may not.
            extract.override(task_id=entry["id"].replace("@", "."))(entry["id"])
            for entry in REGISTRY["datasets"]
        ]
    loaded = load()
    announced = new_data(loaded)
    extracted >> loaded
    [*extracted, loaded, announced] >> report()
