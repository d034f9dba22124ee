"""Run by Airflow's Python: what the DAG files say, as JSON on standard output."""

import json
import sys
import warnings
from pathlib import Path

folder = Path(sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from airflow.dag_processing.dagbag import BundleDagBag

    caught.clear()  # Airflow's own
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")

ours = [str(item.message) for item in caught]
ours += [str(item) for items in bag.captured_warnings.values() for item in items]


def describe(task):
    return {
        "class": type(task).__name__,
        "upstream": sorted(task.upstream_task_ids),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "retries": task.retries,
        "has_back_off": bool(task.retry_exponential_backoff) and task.max_retry_delay is not None,
        "timeout_s": task.execution_timeout and task.execution_timeout.total_seconds(),
        "pool": task.pool,
        "outlets": [asset.name for asset in task.outlets],
        "tests_per_model": getattr(task, "tests_per_model", None),
        "node": getattr(task, "model_unique_id", None),
    }


json.dump(
    {
        "errors": bag.import_errors,
        "warnings": ours,
        "dags": {
            dag_id: {
                "max_active_runs": dag.max_active_runs,
                "catchup": dag.catchup,
                "timeout_s": dag.dagrun_timeout and dag.dagrun_timeout.total_seconds(),
                "schedule": repr(dag.schedule),
                "timetable": getattr(dag.timetable, "expression", None),
                "timezone": str(getattr(dag.timetable, "timezone", "")),
                "params": list(dag.params),
                "tasks": {task.task_id: describe(task) for task in dag.tasks},
            }
            for dag_id, dag in bag.dags.items()
        },
    },
    sys.stdout,
)
