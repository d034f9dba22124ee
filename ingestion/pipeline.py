"""The steps of a command in their order, under one lease: pull, load, reconcile, build."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.errors import BuildError
from ingestion.lock import Lease
from ingestion.mongodb import connect, mongodb_errors
from ingestion.pull import DatasetResult, Puller, PullOptions
from ingestion.registry import Dataset, registry
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.store import Store, written
from ingestion.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from ingestion.load import LoadReport
    from ingestion.portal import Progress

logger = logging.getLogger(__name__)

SYNTHETIC_MARK = "SYNTHETIC"
"""A file of this name in `COLLEGES_HOME` says that nothing there is real."""
BUILD_TIMEOUT_S = 2 * 3600
_DBT_FILES = ("dbt_project.yml", "models", "macros", "seeds", "snapshots", "tests/data")


@dataclass
class Outcome:
    """What a command did, for the report."""

    pulls: list[tuple[Path | None, int, list[DatasetResult]]] = field(default_factory=list)
    """(recorded state or None for live, run sequence, results), in the order loaded."""
    loads: list[LoadReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    refilled: int = 0
    """Versions that were copied from the warehouse into an empty MongoDB."""
    is_built: bool = False

    @property
    def results(self) -> list[DatasetResult]:
        return [result for _, _, results in self.pulls for result in results]

    @property
    def problems(self) -> list[str]:
        """One line per dataset that failed or needs a decision."""
        return [
            f"{result.dataset.dataset_id}: {result.error or result.withdrawal_refused}"
            for result in self.results
            if result.needs_attention
        ]

    @property
    def exit_code(self) -> int:
        return int(bool(self.problems))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - started


@dataclass
class _Work:
    """What the steps of a command share."""

    settings: Settings
    store: Store
    lease: Lease
    warehouse: Warehouse
    outcome: Outcome
    progress: Progress | None = None

    @property
    def work_dir(self) -> Path:
        return self.settings.home / "dlt"


def run(
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    portal_states: Sequence[Path] = (),
    options: PullOptions,
    build: bool | None = None,
    verbose: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Pull, load and reconcile each portal state in turn, then build once.

    Args:
        settings: where everything lives.
        datasets: what to read.
        portal_states: folders of recorded portal states; empty: the live portals.
        options: how to pull.
        build: run `dbt build` at the end; None: where anything changed since the last build.
        verbose: show what dbt says while it builds.
        progress: called as rows arrive.

    Returns:
        What was done; `exit_code` is not 0 where a dataset failed or needs a decision.

    Raises:
        CollegesError: the run as a whole cannot go on.
    """
    with _working(settings, "run", progress) as work:
        for state in portal_states or (None,):
            results = _pull_state(work, datasets, state, options)
            if all(result.status == "failed" for result in results):
                return work.outcome  # nothing was read, so nothing downstream can have changed
            if not _is_noted(work, datasets):
                _load(work, datasets)
        if build is False:
            return work.outcome
        project = project_fingerprint()
        if not build and _note(work).get("project") == project and _is_noted(work, datasets):
            logger.info("nothing changed since the last build: `--build` builds again")
            return work.outcome
        with work.outcome.timed("dbt build"):
            if not work.warehouse.is_metered:  # else dbt itself would find out, a minute later
                with work.warehouse.connect(writable=True):
                    pass
            dbt_build(settings, verbose=verbose)
        _write_note(work, datasets, project)
        work.outcome.is_built = True
        return work.outcome


def pull(
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    portal_states: Sequence[Path] = (),
    options: PullOptions,
    progress: Progress | None = None,
) -> Outcome:
    """Hop 1 alone; arguments as for `run`."""
    with _working(settings, "extract", progress) as work:
        for state in portal_states or (None,):
            _pull_state(work, datasets, state, options)
    return work.outcome


def load(
    settings: Settings, datasets: Sequence[Dataset], *, progress: Progress | None = None
) -> Outcome:
    """Hop 2 alone, and its reconciliation, whatever is noted."""
    with _working(settings, "load", progress) as work:
        _load(work, datasets)
    return work.outcome


def replay(
    settings: Settings, datasets: Sequence[Dataset], *, progress: Progress | None = None
) -> Outcome:
    """Drop the tables of raw and load them anew from MongoDB."""
    from ingestion import reconcile

    with _working(settings, "replay", progress) as work, work.outcome.timed("replay"):
        _forget_note(work)
        report = reconcile.replay(
            work.store, work.lease, work.warehouse, datasets, work.work_dir, progress
        )
        work.outcome.loads.append(report)
    return work.outcome


def status(settings: Settings, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """What MongoDB holds, from when, and what changed last; nothing is written.

    Returns:
        `lease`: who holds the store (`host`, `pid`, `purpose`, `since`), or None. `datasets`: for
        each its id as `dataset`, `versions`, `quarantined` (reason → lines of the last pull) and
        the ledger's entries `last` (of any status), `last_pull` and `last_change` (finished ones),
        or None.
    """
    with connect(settings) as database:
        ledger = Store(database, settings.home).entries()
        with mongodb_errors("read the status"):
            lease = database["lease"].find_one({}, {"_id": 0, "token": 0})
            found = []
            for dataset in datasets:
                entries = [e for e in ledger if e["dataset"] == dataset.dataset_id]
                pulls = [e for e in entries if e["status"] == "finished"]
                changes = [e for e in pulls if written(e)]
                kept_out: Counter[str] = Counter()
                if pulls:
                    query = {
                        "table_name": dataset.table,
                        "run_sequence": pulls[-1]["run_sequence"],
                    }
                    kept_out.update(q["reason"] for q in database["quarantine"].find(query))
                found.append({
                    "dataset": dataset.dataset_id,
                    "versions": sum(map(written, entries)),
                    "quarantined": dict(kept_out),
                    "last": entries[-1] if entries else None,
                    "last_pull": pulls[-1] if pulls else None,
                    "last_change": changes[-1] if changes else None,
                })  # fmt: skip
    return {"lease": lease, "datasets": found}


@contextmanager
def _working(settings: Settings, purpose: str, progress: Progress | None) -> Iterator[_Work]:
    """Everything open, the lease held, an empty MongoDB filled from the warehouse."""
    warehouse = open_warehouse(settings)  # a wrong setting stops the command here
    outcome = Outcome()
    with ExitStack() as stack:
        with outcome.timed("start"):
            database = stack.enter_context(connect(settings))
            lease = stack.enter_context(Lease(database, purpose))
            store = Store(database, settings.prepare_home())
            work = _Work(settings, store, lease, warehouse, outcome, progress)
            with mongodb_errors("look into the ledger"):
                is_empty = store.ledger.find_one({}, {"_id": 1}) is None
            if is_empty:
                from ingestion.reconcile import refill

                outcome.refilled = refill(store, warehouse, list(registry().values()))
        yield work


def _pull_state(
    work: _Work, datasets: Sequence[Dataset], state: Path | None, options: PullOptions
) -> list[DatasetResult]:
    from ingestion.portal import PortalClient

    with ExitStack() as stack, work.outcome.timed("pull"):
        base_urls = {}
        if state is not None:
            from sandbox.portal import ReplayPortal

            portal = stack.enter_context(ReplayPortal(state))
            base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in datasets}
        client = stack.enter_context(
            PortalClient(base_urls=base_urls, api_keys=work.settings.api_keys)
        )
        work.lease.confirm()
        begun = work.store.begin_run(code_version())
        source = state or "the live portals"
        logger.info("run %d (%s): reading %s", begun.sequence, begun.run_id, source)
        options = replace(options, is_recorded_state=state is not None)
        puller = Puller(
            client, work.store, work.lease, begun, work.work_dir, options, work.progress
        )
        work.work_dir.mkdir(parents=True, exist_ok=True)
        results = [puller.pull(dataset) for dataset in datasets]
    work.outcome.pulls.append((state, begun.sequence, results))
    with mongodb_errors("read the ledger"):
        if work.store.ledger.find_one({"is_synthetic": True}):
            (work.settings.home / SYNTHETIC_MARK).write_text(
                "Everything in this folder comes from the synthetic sample. None of it is real.\n",
                encoding="utf-8",
            )
    return results


def _load(work: _Work, datasets: Sequence[Dataset]) -> None:
    from ingestion.load import load
    from ingestion.reconcile import reconcile

    _forget_note(work)
    with work.outcome.timed("load"):
        report = load(
            work.store, work.lease, work.warehouse, datasets, work.work_dir, work.progress
        )
        work.outcome.loads.append(report)
    with work.outcome.timed("reconcile"):
        reconcile(work.store, work.warehouse, datasets)
    _write_note(work, datasets, project=None)


# -- the note: what the warehouse held, and what was built from it ---------------------------------
#
# It lies in MongoDB, one a warehouse, and only ever allows to skip: it is gone before anything is
# written, and does not fit once anything else may have written to the warehouse.


def _newest(work: _Work, datasets: Sequence[Dataset]) -> dict[str, int]:
    """Table → the latest run that wrote a version."""
    newest = {dataset.table: 0 for dataset in datasets}
    for entry in work.store.entries(*newest):
        if written(entry):
            newest[entry["table_name"]] = int(entry["run_sequence"])
    return newest


def _note(work: _Work) -> dict[str, Any]:
    with mongodb_errors("read the note about the warehouse"):
        note = work.store.database["builds"].find_one({"_id": work.warehouse.identity})
    return note or {}


def _is_noted(work: _Work, datasets: Sequence[Dataset]) -> bool:
    """Whether the warehouse is as it was when it agreed with MongoDB, and MongoDB has no more."""
    note = _note(work)
    held = note.get("newest", {})
    return note.get("stamp") == work.warehouse.stamp and all(
        held.get(table) == run for table, run in _newest(work, datasets).items()
    )


def _write_note(work: _Work, datasets: Sequence[Dataset], project: str | None) -> None:
    note = {
        "newest": _note(work).get("newest", {}) | _newest(work, datasets),
        "stamp": work.warehouse.stamp,
        "project": project,
    }
    with mongodb_errors("write the note about the warehouse"):
        work.store.database["builds"].replace_one(
            {"_id": work.warehouse.identity}, note, upsert=True
        )


def _forget_note(work: _Work) -> None:
    with mongodb_errors("take back the note about the warehouse"):
        work.store.database["builds"].delete_one({"_id": work.warehouse.identity})


# -- dbt -------------------------------------------------------------------------------------------


def dbt_build(settings: Settings, *arguments: str, verbose: bool = True) -> None:
    """Run `dbt build` on what is in raw; without `verbose` its output is shown only if it fails.

    Raises:
        BuildError: dbt said no; its own output, above, says what.
    """
    profiles_dir = Path(os.environ.get("DBT_PROFILES_DIR") or PROJECT_DIR)
    if profiles_dir == PROJECT_DIR and not (PROJECT_DIR / "profiles.yml").exists():
        shutil.copy(PROJECT_DIR / "profiles.example.yml", PROJECT_DIR / "profiles.yml")
        logger.info("wrote profiles.yml from profiles.example.yml")
    command = [
        *(sys.executable, "-W", "ignore", "-m", "dbt.cli.main"),
        *(() if sys.stdout.isatty() else ("--no-use-colors",)),
        *("build", "--project-dir", str(PROJECT_DIR), "--profiles-dir", str(profiles_dir)),
        # Unit tests try rules on made-up rows: a change of the code can break them, data cannot.
        *("--target", settings.target, "--exclude-resource-type", "unit_test", *arguments),
    ]
    environment = os.environ | {
        "COLLEGES_HOME": str(settings.home),
        "DO_NOT_TRACK": "1",
        # dbt-snowflake sets no time-out for the sign-in; these are the connector's own.
        "JWT_CNXN_RETRY_ATTEMPTS": "2",
        "JWT_CNXN_WAIT_TIME": "10",
    }
    output = None if verbose else subprocess.PIPE
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=PROJECT_DIR,
        env=environment,
        stdout=output,
        stderr=output and subprocess.STDOUT,
    ) as process:
        try:
            told, _ = process.communicate(timeout=BUILD_TIMEOUT_S)
        except BaseException as error:
            process.terminate()  # what it had open is rolled back
            told, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
    if told and process.returncode:
        sys.stderr.buffer.write(told)
        sys.stderr.flush()
    where = "see its output above and logs/dbt.log"
    if process.returncode < 0:
        raise BuildError(
            f"`dbt build` was ended after {BUILD_TIMEOUT_S // 3600} hours, or by somebody else: "
            f"{where} for what it waited for. The raw data is loaded and safe."
        )
    if process.returncode:
        raise BuildError(
            f"`dbt build` failed (exit {process.returncode}): {where}. The raw data is loaded and "
            "safe; mend the model or the data named there and run `make run` or `dbt build` again."
        )


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files and the prefix of its schemas."""
    digest = sha256(os.environ.get("COLLEGES_SCHEMA_PREFIX", "").encode())
    for name in _DBT_FILES:
        path = PROJECT_DIR / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"\0{file.relative_to(PROJECT_DIR)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def code_version() -> str:
    """The package's version and, in a git checkout, the commit."""
    git = shutil.which("git")
    commit = ""
    if git and (PROJECT_DIR / ".git").exists():
        described = subprocess.run(  # noqa: S603
            [git, "-C", str(PROJECT_DIR), "rev-parse", "--short", "HEAD"],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
        commit = described.stdout.strip()
    return version("paris-colleges") + (f"+{commit}" if commit else "")
