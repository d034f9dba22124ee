"""When new data landed: dbt, one task per model and its tests after it; then docs and dashboard."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

# Read by Cosmos when it is imported.
os.environ.setdefault("DO_NOT_TRACK", "1")

import pendulum
from airflow.sdk import DAG, Param, TriggerRule, task
from colleges_shell import (
    HOME,
    PROJECT,
    RAW,
    TARGET,
    TARGET_PARAM,
    TASK_DEFAULTS,
    VENV,
    conclude,
    make,
)
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import (
    ExecutionMode,
    InvocationMode,
    LoadMode,
    TestBehavior,
)
from cosmos.operators._watcher.state import get_dbt_event_xcom_key

MANIFEST = PROJECT / "target/manifest.json"
PROFILES = PROJECT / "profiles.yml"
for needed, how in ((MANIFEST, "dbt parse"), (PROFILES, "make profiles.yml")):
    if not needed.is_file():
        raise FileNotFoundError(f"{needed} is missing: run `{how}` in {PROJECT} first.")

PRODUCER = "dbt.dbt_producer_watcher"
PLAN = "{{ ti.xcom_pull(task_ids='plan')['%s'] }}"

ADVICE = (
    "Everything else is built; the marts named above are as they were. Mend the model or the data, "
    "deploy, `dbt parse`, then trigger this DAG by hand: new data alone would start it."
)


@task
def plan(params: dict[str, Any], triggering_asset_events: Any) -> dict[str, Any]:
    """Which target to build: the one the data landed in, or the parameter of a run by hand."""
    events = [event for events in triggering_asset_events.values() for event in events]
    landed = [event.extra["target"] for event in events if event.extra.get("target")]
    return {
        "target": landed[-1] if landed else params["target"],
        "full_refresh": params["full_refresh"],
    }


def dbt_group(planned: Any) -> DbtTaskGroup:
    """The dbt project as tasks: one `dbt build` runs it, one task per node reports what came of it.

    One process instead of one per node, since each would spend seven seconds on starting up. A
    node's task that is cleared or retried runs that node alone.
    """
    group = DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(
            dbt_project_path=PROJECT,
            manifest_path=MANIFEST,
            install_dbt_deps=False,
            env_vars={
                "COLLEGES_HOME": str(HOME),
                "COLLEGES_VENV": str(VENV),
                "COLLEGES_TARGET": PLAN % "target",
                "DO_NOT_TRACK": "1",
            },
        ),
        profile_config=ProfileConfig(
            profile_name="paris_colleges", target_name=TARGET, profiles_yml_filepath=PROFILES
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.SUBPROCESS,
            # A wrapper, because Cosmos fixes `--target` when it reads this file.
            dbt_executable_path=PROJECT / "orchestration/dbt",
            setup_operator_args={"retries": 0},
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.AFTER_EACH,
            should_detach_multiple_parents_tests=True,
            emit_datasets=False,
        ),
        operator_args={
            "append_env": True,
            "full_refresh": PLAN % "full_refresh",
        },
        default_args={"retries": min(1, TASK_DEFAULTS["retries"])},
    )
    producer = group.dag.get_task(PRODUCER)
    planned >> group
    _report_tests_of_several_models_alone(producer)
    for node in group.get_roots():
        if node is not producer and node.task_id != "dbt.dbt_producer_watcher_done":
            # After the build, so that no task waits in the one slot for another; also after a
            # failed build, to say which of its nodes did well; not if there was no plan.
            [planned, producer] >> node
            node.trigger_rule = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
    return group


def _report_tests_of_several_models_alone(producer: Any) -> None:
    """Let a test of several models fail its own task, not those of the models it compares.

    Cosmos waits for all tests that touch a model before it calls the model tested, so a broken
    model would fail its healthy neighbours through their common test.
    """
    several: dict[str, int] = {}
    for tests in producer.tests_per_model.values():
        for test in tests:
            several[test] = several.get(test, 0) + 1
    producer.tests_per_model = {
        model: [test for test in tests if several[test] == 1]
        for model, tests in producer.tests_per_model.items()
    } | {test: [test] for test, models in several.items() if models > 1}


@task
def docs(ti: Any, target: str) -> None:
    """`make docs`: the documentation site, from what was just built."""
    make(ti, "docs", target=target)


@task(priority_weight=2)  # before the docs, which link to it where it is there
def dashboard(ti: Any, target: str) -> None:
    """`make dashboard`: the page, from what was just built, with its way back to the docs."""
    make(ti, "dashboard", "DOCS_URL=../index.html", target=target)


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0, pool="default_pool")
def report(**context: Any) -> None:
    """Fail the run if anything in it failed, and post which nodes and why."""
    causes = _causes(context)
    # The build fails with any of its nodes, whose tasks say more.
    conclude(context, causes, ADVICE, ignore=None if PRODUCER in causes else PRODUCER)


def _causes(context: Any) -> dict[str, str]:
    """What dbt said of each node that went wrong, by the task that shows it.

    Unit tests and tests of sources have no task: the build's own stands for them.
    """
    ti, tasks = context["ti"], context["dag"].task_dict
    tests_per_model = tasks[PRODUCER].tests_per_model
    shown_by: dict[str, list[str]] = {PRODUCER: []}
    for name, operator in tasks.items():
        if node := getattr(operator, "model_unique_id", None):
            shown_by[name] = tests_per_model.get(node, []) if operator.is_test_sensor else [node]
    shown = {node for nodes in shown_by.values() for node in nodes}
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    shown_by[PRODUCER] = [
        node
        for node in [*manifest["nodes"], *manifest["unit_tests"]]
        if node.split(".")[0].endswith("test") and node not in shown
    ]

    def said(node: str) -> str | None:
        event = ti.xcom_pull(task_ids=PRODUCER, key=get_dbt_event_xcom_key(node)) or {}
        if not event.get("msg") or event.get("status") in ("success", "pass", "warn", "skipped"):
            return None
        kind, _, name, *_ = node.split(".")
        return f"{name}: {event['msg'].strip()}" if kind.endswith("test") else event["msg"]

    causes = {name: [text for text in map(said, nodes) if text] for name, nodes in shown_by.items()}
    return {name: "; ".join(texts) for name, texts in causes.items() if texts}


with DAG(
    "colleges_dbt",
    description=__doc__,
    schedule=[RAW],
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args=TASK_DEFAULTS,
    tags=["colleges"],
    params={
        "target": TARGET_PARAM,
        "full_refresh": Param(
            False,
            type="boolean",
            description="`dbt build --full-refresh`: incremental models and seeds from scratch. "
            "Snapshots keep their history.",
        ),
    },
):
    planned = plan()
    group = dbt_group(planned)
    shown = [docs(target=planned["target"]), dashboard(target=planned["target"])]
    group >> shown
    [planned, group, *shown] >> report()
