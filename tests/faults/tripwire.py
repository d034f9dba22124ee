"""Run steps of the pipeline in processes that end by SIGKILL at a chosen boundary.

A server that has everything imported forks one child a job, so that a job costs its work and not
its imports. Boundaries are not listed by hand: each step below is wrapped, and passing its start
or its end is one event. The number of events of an undisturbed run is counted first, and a kill is
"at event k of n".

One JSON object a line on standard input: ``home``, ``mongodb_uri``, ``command`` (``extract``,
``load`` or ``run``), and as needed ``portal`` (a state), ``datasets`` (ids), ``options`` (of
`ExtractOptions`), ``wire`` (the command whose steps are counted), ``kill_at`` (event),
``kill_after_s``, ``kill_mongod`` (true: the home's own server is ended at event ``kill_at`` in
place of this process), ``faults`` (of the replay portal), ``portal_key`` (that it asks for),
``attempts`` (of the client, a request), ``api_keys``, ``clock_days`` (added to every time this
process reads). The answer: ``signal``, ``exit``, ``events``, ``last``, ``log``, ``results``
(dataset id → what became of it).
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any


class Tripwire:
    """Counts events, and ends the process at one of them."""

    def __init__(self, trace: Path, kill_at: int | None, victim: Callable[[], int]) -> None:
        self._trace = trace.open("w", buffering=1)
        self._kill_at = kill_at
        self._victim = victim
        self._lock = threading.Lock()
        self.events = 0

    def pass_(self, what: str) -> None:
        with self._lock:
            self.events += 1
            self._trace.write(f"{self.events} {what}\n")
            if self.events == self._kill_at:
                os.kill(self._victim(), signal.SIGKILL)

    def wrap(self, owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)
        what = f"{owner.__name__}.{name}"

        @functools.wraps(inner)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_(f"before {what}")
            result = inner(*args, **kwargs)
            self.pass_(f"after {what}")
            return result

        setattr(owner, name, wrapped)


def _wire_extract(wire: Tripwire) -> None:
    """Every write to MongoDB, sent and answered, every step of dlt, every page of the stream."""
    import dlt
    from pymongo import monitoring

    import ingestion.extract

    class Commands(monitoring.CommandListener):
        writes = frozenset({"insert", "update", "delete", "findAndModify", "createIndexes"})

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name in self.writes:
                wire.pass_(f"before {event.command_name} {event.command[event.command_name]}")

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            if event.command_name in self.writes:
                wire.pass_(f"after {event.command_name}")

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            pass

    monitoring.register(Commands())
    for step in ("extract", "normalize", "load"):
        wire.wrap(dlt.Pipeline, step)
    wire.wrap(ingestion.extract, "_table")


def _wire_load(wire: Tripwire) -> None:
    """Every statement to the warehouse, ours and dlt's, and every step of dlt."""
    import dlt
    from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    from ingestion.warehouse import Connection

    for name in ("rows", "create", "insert"):
        if hasattr(Connection, name):
            wire.wrap(Connection, name)
    for name in ("execute_sql", "execute_many"):
        wire.wrap(DuckDbSqlClient, name)
    wire.wrap(DuckDbCopyJob, "run")
    for step in ("extract", "normalize", "load"):
        wire.wrap(dlt.Pipeline, step)


def _misbehave(job: dict[str, Any]) -> None:
    """Let the replay portal do what the job says, and the client wait less for it."""
    import ingestion.portal
    import ingestion.replay_portal
    from ingestion.portal import PortalClient, Timeouts
    from ingestion.replay_portal import Fault, ReplayPortal

    faults = [Fault(**fault) for fault in job.get("faults", ())]
    ingestion.replay_portal.ReplayPortal = functools.partial(  # type: ignore[misc]
        ReplayPortal, faults=faults, api_key=job.get("portal_key")
    )
    ingestion.portal.PortalClient = functools.partial(  # type: ignore[misc]
        PortalClient,
        sleep=lambda _: None,
        # Long enough for a machine that does ten other things.
        timeouts=Timeouts(read=3, export=6),
        attempts=job.get("attempts", 4),
        wait_budget_s=1,
    )


def _shift_clock(days: float) -> None:
    """Every time this process reads, for the ledger and for its decisions, is so much off."""
    import ingestion.document_store
    import ingestion.extract

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=days)

    ingestion.document_store.datetime = Shifted  # type: ignore[misc]
    ingestion.extract.datetime = Shifted  # type: ignore[attr-defined]
    wall_clock = time.time
    time.time = lambda: wall_clock() + days * 86_400


def _child(job: dict[str, Any], trace: Path, log: Path) -> None:
    from ingestion import pipeline
    from ingestion.errors import CollegesError
    from ingestion.extract import ExtractOptions
    from ingestion.registry import registry
    from ingestion.settings import Settings

    handler = logging.FileHandler(log)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    mongod_lock = Path(job["home"], "mongodb", "data", "mongod.lock")
    victim = (lambda: int(mongod_lock.read_text())) if job.get("kill_mongod") else os.getpid
    wire = Tripwire(trace, job.get("kill_at"), victim)
    if job.get("wire", job["command"]) == "extract":
        _wire_extract(wire)
    else:
        _wire_load(wire)
    if (delay := job.get("kill_after_s")) is not None:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    _misbehave(job)
    if "clock_days" in job:
        _shift_clock(job["clock_days"])
    settings = Settings(
        home=Path(job["home"]),
        target="duckdb",
        mongodb_uri=job.get("mongodb_uri"),
        api_keys=job.get("api_keys", {}),
    )
    datasets = [d for d in registry().values() if d.dataset_id in job.get("datasets", registry())]
    states = [Path(job["portal"])] if job.get("portal") else []
    try:
        if job["command"] == "load":
            outcome = pipeline.load(settings, datasets)
        else:
            step = pipeline.extract if job["command"] == "extract" else _run
            outcome = step(
                settings,
                datasets,
                portal_states=states,
                options=ExtractOptions(**job.get("options", {})),
            )
    except CollegesError as error:
        logging.exception("the command failed")
        os._exit(error.exit_code)
    except BaseException:
        logging.exception("a bug")
        os._exit(99)
    results = {
        result.dataset.dataset_id: {
            "status": result.status,
            "counts": result.counts,
            "drift": result.drift,
            "withdrawal_refused": result.withdrawal_refused,
            "error": result.error,
        }
        for result in outcome.results
    }
    log.with_name("results.json").write_text(json.dumps(results))
    os._exit(outcome.exit_code)


def _run(*args: Any, **kwargs: Any) -> Any:
    from ingestion import pipeline

    return pipeline.run(*args, build=False, **kwargs)


def main() -> None:
    """Serve jobs until standard input ends."""
    # Everything a child needs, imported once; nothing here starts a thread or opens a connection.
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import ingestion.extract
    import ingestion.load
    import ingestion.pipeline  # noqa: F401
    from ingestion.document_store import import_pymongoarrow

    import_pymongoarrow()
    for line in sys.stdin:
        job = json.loads(line)
        home = Path(job["home"])
        home.mkdir(parents=True, exist_ok=True)
        # Beside the home: its disk may be full.
        trace, log = home.with_name(f"{home.name}-trace.txt"), home.with_name(f"{home.name}.log")
        results = log.with_name("results.json")
        log.write_text("")
        results.write_text("{}")
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                _child(job, trace, log)
            os._exit(98)
        _, status = os.waitpid(child, 0)
        events = trace.read_text().splitlines()
        answer = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
            "events": len(events),
            "last": events[-1] if events else "",
            "log": log.read_text()[-20_000:],
            "results": json.loads(results.read_text()),
        }
        print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    main()
