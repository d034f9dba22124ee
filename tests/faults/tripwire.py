"""Run steps of the pipeline in processes that end by SIGKILL at a chosen boundary.

A server that has everything imported forks one child a job, so that a job costs its work and not
its imports. Boundaries are not listed by hand: each step below is wrapped, and passing its start
or its end is one event. An event is named by its kind, which leaves out the table: ``before insert
versions``. What happens is counted in an undisturbed run first, and a kill is "at the n-th event of
this kind", which stays the same boundary where threads pass theirs in another order, or "at event
k".

One JSON object a line on standard input: ``home``, ``mongodb_uri``, ``command`` (``extract``,
``load``, ``run`` or ``replay``), and as needed ``portal`` (a state), ``is_live`` (that state
answers as the live portal does: it lacks nothing by design), ``datasets`` (ids), ``options`` (of
`PullOptions`), ``wire`` (the command whose steps are counted), ``kill_at`` (event, or [kind, n]),
``kill_after_s``, ``kill_mongod`` (true: the home's own server is ended at event ``kill_at`` in
place of this process), ``faults`` (of the replay portal), ``portal_key`` (that it asks for),
``attempts`` (of the client, a request), ``api_keys``, ``clock_days`` (added to every time this
process reads), ``part_bytes`` (of a line in one document of the quarantine), ``file_mb`` (no file
may grow beyond it). The answer: ``signal``, ``exit``, ``events`` (their kinds, in order), ``log``,
``results`` (dataset id → what became of it).
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

KillAt = int | tuple[str, int]


class Tripwire:
    """Counts events, and ends the process at one of them."""

    def __init__(self, trace: Path, kill_at: KillAt | None, victim: Callable[[], int]) -> None:
        self._trace = trace.open("w", buffering=1)
        self._kill_at = kill_at
        self._victim = victim
        self._lock = threading.Lock()
        self._events: Counter[str] = Counter()

    def pass_(self, kind: str) -> None:
        with self._lock:
            self._events[kind] += 1
            self._trace.write(f"{kind}\n")
            if self._kill_at in (self._events.total(), (kind, self._events[kind])):
                os.kill(self._victim(), signal.SIGKILL)

    def wrap(self, owner: Any, name: str, told: Callable[..., str] | None = None) -> None:
        """Let a function pass an event before and after.

        Args:
            owner: what has it.
            name: its name there.
            told: names the step, from the function's arguments.
        """
        inner: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(inner)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step = told(*args, **kwargs) if told else f"{owner.__name__}.{name}"
            self.pass_(f"before {step}")
            result = inner(*args, **kwargs)
            self.pass_(f"after {step}")
            return result

        setattr(owner, name, wrapped)


def _command(command: Any, name: str) -> str:
    """The kind of a write to MongoDB; of an update of the ledger, what it says."""
    collection = str(command[name]).rpartition(".")[2]  # a rename names its database too
    if "__" in collection:
        is_tombstone = name == "insert" and command["documents"][0]["is_withdrawn"]
        return f"{name} {'tombstones' if is_tombstone else 'versions'}"
    if (name, collection) == ("update", "source_load"):
        return f"ledger: {command['updates'][0]['u']['$set'].get('status', 'is_ending')}"
    return f"{name} {collection}"


def _wire_mongodb(wire: Tripwire) -> None:
    """Every write to MongoDB, sent and answered."""
    from pymongo import monitoring

    class Commands(monitoring.CommandListener):
        writes = frozenset({"insert", "update", "delete", "createIndexes", "renameCollection"})
        sent: dict[int, str]

        def __init__(self) -> None:
            self.sent = {}

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name in self.writes:
                kind = _command(event.command, event.command_name)
                self.sent[event.request_id] = kind
                wire.pass_(f"before {kind}")

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            if kind := self.sent.pop(event.request_id, None):
                wire.pass_(f"after {kind}")

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            self.sent.pop(event.request_id, None)

    monitoring.register(Commands())


def _wire_extract(wire: Tripwire) -> None:
    """Every write to MongoDB, every step of dlt, the pull into a file."""
    import dlt

    import ingestion.portal

    _wire_mongodb(wire)
    for step in ("extract", "normalize", "load"):
        wire.wrap(dlt.Pipeline, step)
    wire.wrap(ingestion.portal.PortalClient, "spool")


def _statement(_: Any, sql: str, *__: Any, **___: Any) -> str:
    """Names a statement by its first word, and by its table where that decides something."""
    ledger = " ledger" if sql.startswith("insert") and "_source_load" in sql else ""
    return f"sql: {sql.split(maxsplit=1)[0].lower()}{ledger}"


def _wire_load(wire: Tripwire) -> None:
    """Every statement to the warehouse, ours and dlt's, and every step of dlt."""
    import dlt
    from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    wire.wrap(DuckDbSqlClient, "execute_sql", _statement)
    wire.wrap(DuckDbSqlClient, "commit_transaction")
    wire.wrap(DuckDbCopyJob, "run")
    for step in ("extract", "normalize", "load"):
        wire.wrap(dlt.Pipeline, step)


def _misbehave(job: dict[str, Any]) -> None:
    """Let the replay portal do what the job says, and clients wait less for an answer."""
    import ingestion.mongodb
    import ingestion.portal
    import sandbox.portal
    from ingestion.portal import PortalClient, Timeouts
    from tests.faulty_portal import Fault, FaultyPortal

    faults = [Fault(**fault) for fault in job.get("faults", ())]
    sandbox.portal.ReplayPortal = functools.partial(  # type: ignore[misc]
        FaultyPortal, faults=faults, api_key=job.get("portal_key")
    )
    ingestion.portal.PortalClient = functools.partial(  # type: ignore[misc]
        PortalClient,
        sleep=lambda _: None,
        # Long enough for a machine that does ten other things.
        timeouts=Timeouts(read=3, export=6),
        attempts=job.get("attempts", 4),
    )
    ingestion.mongodb.SELECTION_TIMEOUT_MS = 6_000


def _is_live(wanted: bool) -> None:
    """Let a recorded state be read as if it were the live portal."""
    from ingestion.pull import Puller

    inner = Puller.pull

    def pull(self: Puller, *args: Any) -> Any:
        self.options = replace(self.options, is_recorded_state=not wanted)
        return inner(self, *args)

    Puller.pull = pull  # type: ignore[method-assign]


def _shift_clock(days: float) -> None:
    """Every time this process reads, for the ledger and for its decisions, is so much off."""
    import ingestion.portal
    import ingestion.pull
    import ingestion.store

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=days)

    for module in (ingestion.portal, ingestion.pull, ingestion.store):
        module.datetime = Shifted  # type: ignore[attr-defined]
    wall_clock = time.time
    time.time = lambda: wall_clock() + days * 86_400


def _child(job: dict[str, Any], trace: Path, log: Path) -> None:
    from pydantic import SecretStr

    from ingestion import pipeline, store
    from ingestion.errors import CollegesError
    from ingestion.pull import PullOptions
    from ingestion.registry import registry
    from ingestion.settings import Settings

    handler = logging.FileHandler(log)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    mongod_lock = Path(job["home"], "mongodb", "data", "mongod.lock")
    victim = (lambda: int(mongod_lock.read_text())) if job.get("kill_mongod") else os.getpid
    kill_at = job.get("kill_at")
    wire = Tripwire(trace, tuple(kill_at) if isinstance(kill_at, list) else kill_at, victim)
    wired = job.get("wire", job["command"])
    if wired == "extract":
        _wire_extract(wire)
    else:
        if wired == "replay":
            _wire_mongodb(wire)
        _wire_load(wire)
    if (delay := job.get("kill_after_s")) is not None:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    _misbehave(job)
    if "is_live" in job:
        _is_live(job["is_live"])
    if "file_mb" in job:
        size = job["file_mb"] * 1024**2
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    if "clock_days" in job:
        _shift_clock(job["clock_days"])
    if "part_bytes" in job:
        store.MAX_PART_BYTES = job["part_bytes"]
    settings = Settings(
        home=Path(job["home"]),
        target="duckdb",
        mongodb_uri=job.get("mongodb_uri"),
        api_keys={name: SecretStr(key) for name, key in job.get("api_keys", {}).items()},
    )
    datasets = [d for d in registry().values() if d.dataset_id in job.get("datasets", registry())]
    states = [Path(job["portal"])] if job.get("portal") else []
    try:
        outcome = pipeline.run(
            settings,
            datasets,
            job["command"],
            portal_states=states,
            options=PullOptions(**job.get("options", {})),
            build=False,
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


def _import_pipeline() -> None:
    # Everything a child needs, imported once; nothing here starts a thread or opens a connection.
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import ingestion.load
    import ingestion.pipeline
    import ingestion.portal
    import ingestion.reconcile  # noqa: F401


def main() -> None:
    """Serve jobs until standard input ends."""
    _import_pipeline()
    for line in sys.stdin:
        job = json.loads(line)
        home = Path(job["home"])
        home.mkdir(parents=True, exist_ok=True)
        # Beside the home: its disk may be full.
        trace, log = home.with_name(f"{home.name}-trace.txt"), home.with_name(f"{home.name}.log")
        results = log.with_name("results.json")
        log.write_text("")
        trace.write_text("")
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
            "events": events,
            "log": log.read_text()[-20_000:],
            "results": json.loads(results.read_text()),
        }
        print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    main()
