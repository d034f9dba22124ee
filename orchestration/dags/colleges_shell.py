"""What both DAGs share: where the project is, how its commands are called, how a run reports.

Airflow lives in an environment of its own and never imports the project: it calls its commands by
path. ``COLLEGES_PROJECT`` and ``COLLEGES_VENV`` say where they are.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

log = logging.getLogger(__name__)

PROJECT = Path(os.environ.get("COLLEGES_PROJECT") or Path(__file__).resolve().parents[2])
VENV = Path(os.environ.get("COLLEGES_VENV") or PROJECT / ".venv")
HOME = PROJECT / (os.environ.get("COLLEGES_HOME") or "data")
TARGET = os.environ.get("COLLEGES_TARGET") or "duckdb"

RAW = Asset("colleges_raw", uri="colleges://raw")
"""The warehouse's raw schema. Its events say that rows landed, and in which target."""

POOL = "colleges"
"""One slot: the store has one lock and DuckDB one writer."""

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "colleges",
    "pool": POOL,
    "retries": int(os.environ.get("COLLEGES_TASK_RETRIES") or 2),
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 3.0,
    "max_retry_delay": timedelta(hours=1),
    "execution_timeout": timedelta(minutes=45),
}

TARGET_PARAM = Param(
    TARGET,
    type="string",
    enum=["duckdb", "snowflake"],
    description="The warehouse to load and build. Default: COLLEGES_TARGET.",
)

CAUSE = "cause"
"""XCom key under which a task that fails leaves why, for the report at the end of the run."""

_NAMES = 20
"""Tasks an alert lists by name."""

_GRACE_S = 90
"""What a command gets to stop mongod and let go of its locks before it is killed."""


def environment(target: str) -> dict[str, str]:
    """The environment of every command: Airflow's own, and what differs."""
    return {
        **os.environ,
        "COLLEGES_HOME": str(HOME),
        "COLLEGES_TARGET": target,
        "COLLEGES_VENV": str(VENV),
        "DO_NOT_TRACK": "1",
        # A run posts once: the report does, not the commands.
        "COLLEGES_ALERT_WEBHOOK": "",
    }


def call(command: Sequence[str], *, target: str) -> tuple[int, str, str]:
    """Run a command in the project, its standard error and output into the task's log.

    Returns:
        Exit code, standard output, and the end of both as one text.
    """
    tail: deque[str] = deque(maxlen=15)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen(  # noqa: S603 — a list of our own making, no shell
            list(command),
            cwd=PROJECT,
            env=environment(target),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line := line.rstrip():
                    log.info(line)
                    tail.append(line)
            process.wait()
        except BaseException:  # a time-out, or somebody stopped the task
            _stop(process)
            raise
        output.seek(0)
        written = output.read()
    for line in written.splitlines():
        log.info(line)
    return process.returncode, written, "\n".join([*tail, *written.splitlines()[-15:]])


def _stop(process: subprocess.Popen[str]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def colleges(ti: Any, *arguments: str, target: str) -> dict[str, Any]:
    """Run ``colleges ARGUMENTS --json``.

    Returns:
        Its report, also where a dataset failed (``exit_code`` 1).

    Raises:
        AirflowFailException: no retry can help (a setting, the registry, mixed origins).
        AirflowException: the command as a whole failed.
    """
    code, written, tail = call([str(VENV / "bin/colleges"), *arguments, "--json"], target=target)
    try:
        report = json.loads(written)
    except ValueError:
        report = None
    if isinstance(report, dict) and code in (0, 1):
        return report
    errors = [line for line in tail.splitlines() if line.startswith("Error:")]
    cause = errors[-1].removeprefix("Error: ") if errors else tail or f"exit code {code}"
    raise failure(ti, cause, is_final=code == 2)


def failure(ti: Any, cause: str, *, is_final: bool = False) -> AirflowException:
    """The exception to raise for ``cause``, after leaving it for the report."""
    ti.xcom_push(key=CAUSE, value=cause)
    return AirflowFailException(cause) if is_final else AirflowException(cause)


def make(ti: Any, *words: str, target: str) -> None:
    """Run ``make WORDS`` in the project.

    Raises:
        AirflowException: it failed.
    """
    code, _, tail = call(["make", "--no-print-directory", *words], target=target)
    if code:
        raise failure(ti, f"`make {' '.join(words)}` failed:\n{tail[-600:]}")


def conclude(
    context: Mapping[str, Any], causes: Mapping[str, str], advice: str, *, ignore: str | None = None
) -> None:
    """End a run: fail it if a task failed, whatever came after, and post why, once.

    Args:
        context: the task's context.
        causes: task id → cause, where the caller knows better than the task itself.
        advice: what to do, appended to the message.
        ignore: a task that fails with every other; named where it failed alone.

    Raises:
        AirflowFailException: a task failed; the message names each, its cause and what waited.
    """
    ti, run_id = context["ti"], context["run_id"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[run_id]).get(run_id, {})
    failed = sorted(name for name, state in states.items() if state == "failed")
    if not failed:
        log.info("nothing failed")
        return
    lines = []
    for name in [name for name in failed if name != ignore] or failed:
        left = ti.xcom_pull(task_ids=name, key=CAUSE)
        lines.append(f"{name}: {causes.get(name) or left or 'see the log of this task'}")
    waited = sorted(name for name, state in states.items() if state == "upstream_failed")
    if waited:
        more = f" and {len(waited) - _NAMES} more" if len(waited) > _NAMES else ""
        lines.append(f"Did not run because of it: {', '.join(waited[:_NAMES])}{more}")
    lines.append(advice)
    _post(f"Airflow DAG {ti.dag_id}, run {run_id},", lines)
    raise AirflowFailException("\n".join(lines))


def _post(what: str, lines: Sequence[str]) -> None:
    posted = subprocess.run(  # noqa: S603 — as above
        [str(VENV / "bin/python"), "-m", "ingestion.alerts", what],
        input="\n".join(lines),
        cwd=PROJECT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if posted.returncode:
        log.warning("the alert was not posted: %s", posted.stderr.strip())
