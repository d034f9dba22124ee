"""The steps of a command in their order, under one lease: pull, load, reconcile, build."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
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
        bad = [result for result in self.results if result.needs_attention]
        return [
            f"{bad_.dataset.dataset_id}: {bad_.error or bad_.withdrawal_refused}" for bad_ in bad
        ]

    @property
    def exit_code(self) -> int:
        return int(bool(self.problems))


class _Work:
    """A command at work: everything open, the lease held."""

    def __init__(
        self, settings: Settings, store: Store, lease: Lease, warehouse: Warehouse,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.settings, self.store, self.lease, self.warehouse = settings, store, lease, warehouse
        self.progress = progress or (lambda *_: None)
        self.outcome = Outcome()
        self.work_dir = settings.home / "dlt"
        self.work_dir.mkdir(exist_ok=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.progress(name, 0, 0)
        yield
        seconds = self.outcome.seconds.get(name, 0.0) + time.monotonic() - started
        self.outcome.seconds[name] = seconds

    def pull(
        self, datasets: Sequence[Dataset], state: Path | None, options: PullOptions
    ) -> list[DatasetResult]:
        from ingestion.portal import PortalClient

        with ExitStack() as stack, self.step("pull"):
            base_urls = {}
            if state is not None:
                from sandbox.portal import ReplayPortal

                portal = stack.enter_context(ReplayPortal(state))
                base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in datasets}
            client = stack.enter_context(
                PortalClient(base_urls=base_urls, api_keys=self.settings.api_keys)
            )
            self.lease.confirm()
            run_ = self.store.begin_run(code_version())
            source = state or "the live portals"
            logger.info("run %d (%s): reading %s", run_.sequence, run_.run_id, source)
            options = replace(options, is_recorded_state=state is not None)
            puller = Puller(
                client, self.store, self.lease, run_, self.work_dir, options, self.progress
            )
            results = [puller.pull(dataset) for dataset in datasets]
        self.outcome.pulls.append((state, run_.sequence, results))
        if any(entry["is_synthetic"] for entry in self.store.entries(run_sequence=run_.sequence)):
            mark = "Everything in this folder comes from the synthetic sample. None of it is real."
            (self.settings.home / SYNTHETIC_MARK).write_text(f"{mark}\n", encoding="utf-8")
        return results

    def load(self, datasets: Sequence[Dataset], *, anew: bool = False) -> None:
        from ingestion import reconcile
        from ingestion.load import load

        note = self.note(datasets)
        self.note(datasets, forget=True)
        with self.step("load"):
            step = reconcile.replay if anew else load
            report = step(
                self.store, self.lease, self.warehouse, datasets, self.work_dir, self.progress
            )
            self.outcome.loads.append(report)
        with self.step("reconcile"):
            reconcile.reconcile(self.store, self.warehouse, datasets)
        is_same = note["held"] and not report.rows
        self.note(datasets, write=note["project"] if is_same else "")

    def note(
        self, datasets: Sequence[Dataset], *, forget: bool = False, write: str | None = None
    ) -> dict[str, Any]:
        """What is noted of the warehouse in MongoDB, which only ever allows to skip a step: it is
        gone before anything is written there, and does not fit once something else wrote there.

        Returns:
            `held`: whether the warehouse is as it was when it agreed with MongoDB, and MongoDB has
            no more; `project`: the fingerprint of the dbt project it was built with, or "".
        """
        notes, mine = self.store.database["builds"], {"_id": self.warehouse.identity}
        newest = {dataset.table: 0 for dataset in datasets}
        for entry in self.store.entries(*newest):
            if written(entry):
                newest[entry["table_name"]] = int(entry["run_sequence"])
        with mongodb_errors("read or write the note about the warehouse"):
            note = notes.find_one(mine) or {"newest": {}, "stamp": None, "project": ""}
            is_same = note["stamp"] == self.warehouse.stamp
            held = is_same and newest.items() <= note["newest"].items()
            if forget:
                notes.delete_one(mine)
            if write is not None:
                known = note["newest"] if is_same else {}
                values = {"newest": known | newest, "project": write}
                notes.replace_one(mine, values | {"stamp": self.warehouse.stamp}, upsert=True)
        return {"held": held, "project": note["project"]}

    def build(self, datasets: Sequence[Dataset], *, force: bool, verbose: bool) -> None:
        project = project_fingerprint()
        note = self.note(datasets)
        if not force and note["held"] and note["project"] == project:
            logger.info("nothing changed since the last build: `--build` builds again")
            return
        with self.step("dbt build"):
            if not self.warehouse.is_metered:  # else dbt itself would find out, a minute later
                with self.warehouse.connect(writable=True):
                    pass
            dbt_build(self.settings, verbose=verbose)
        self.note(datasets, write=project)
        self.outcome.is_built = True


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
        progress: called as rows arrive, and as each step begins.

    Raises:
        CollegesError: the run as a whole cannot go on.
    """
    with _working(settings, "run", progress) as work:
        for state in portal_states or (None,):
            results = work.pull(datasets, state, options)
            if all(result.status == "failed" for result in results):
                return work.outcome  # nothing was read, so nothing downstream can have changed
            if not work.note(datasets)["held"]:
                work.load(datasets)
        if build is not False:
            work.build(datasets, force=build is True, verbose=verbose)
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
            work.pull(datasets, state, options)
        return work.outcome


def load(
    settings: Settings, datasets: Sequence[Dataset], *, progress: Progress | None = None
) -> Outcome:
    """Hop 2 alone, and its reconciliation, whatever is noted."""
    with _working(settings, "load", progress) as work:
        work.load(datasets)
        return work.outcome


def replay(
    settings: Settings, datasets: Sequence[Dataset], *, progress: Progress | None = None
) -> Outcome:
    """Drop the tables of raw, load them anew from MongoDB, and reconcile."""
    with _working(settings, "replay", progress) as work:
        work.load(datasets, anew=True)
        return work.outcome


@contextmanager
def _working(settings: Settings, purpose: str, progress: Progress | None) -> Iterator[_Work]:
    """Everything open, the lease held, an empty MongoDB filled from the warehouse."""
    warehouse = open_warehouse(settings)  # a wrong setting stops the command here
    started = time.monotonic()
    home = settings.prepare_home()
    with connect(settings) as database, Lease(database, purpose) as lease:
        store = Store(database, home)
        work = _Work(settings, store, lease, warehouse, progress)
        if store.is_empty():
            from ingestion.reconcile import refill

            work.outcome.refilled = refill(store, warehouse, list(registry().values()))
        work.outcome.seconds["start"] = time.monotonic() - started
        yield work


def dbt_build(settings: Settings, *arguments: str, verbose: bool = True) -> None:
    """Run `dbt build` on what is in raw; without `verbose` its output is shown only if it fails.

    Raises:
        BuildError: dbt said no; its own output, above, says what.
    """
    profiles_dir = Path(os.environ.get("DBT_PROFILES_DIR") or PROJECT_DIR)
    if profiles_dir == PROJECT_DIR and not (PROJECT_DIR / "profiles.yml").exists():
        shutil.copy(PROJECT_DIR / "profiles.example.yml", PROJECT_DIR / "profiles.yml")
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
        # At `debug` dbt writes the SQL of every node a third time; target/run/ holds it.
        "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE", "info"),
        # dbt-snowflake sets no time-out for the sign-in; these are the connector's own.
        "JWT_CNXN_RETRY_ATTEMPTS": "2",
        "JWT_CNXN_WAIT_TIME": "10",
    }
    pipe = None if verbose else subprocess.PIPE
    with subprocess.Popen(  # noqa: S603
        command, cwd=PROJECT_DIR, env=environment, stdout=pipe, stderr=pipe and subprocess.STDOUT
    ) as process:
        try:
            told, _ = process.communicate(timeout=BUILD_TIMEOUT_S)
        except BaseException as error:
            process.terminate()  # what it had open is rolled back
            told, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
    if process.returncode:
        sys.stderr.buffer.write(told or b"")
        sys.stderr.flush()
        why = f"failed (exit {process.returncode})" if process.returncode > 0 else "was ended"
        raise BuildError(
            f"`dbt build` {why}: see its output above and logs/dbt.log. The raw data is loaded and "
            "safe; mend the model or the data named there and run `make run` or `dbt build` again."
        )


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files and the prefix of its schemas."""
    digest = sha256(os.environ.get("COLLEGES_SCHEMA_PREFIX", "").encode())
    for path in (PROJECT_DIR / name for name in _DBT_FILES):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"\0{file.relative_to(PROJECT_DIR)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def code_version() -> str:
    """The package's version and, in a git checkout, the commit."""
    git = shutil.which("git")
    if not git or not (PROJECT_DIR / ".git").exists():
        return version("paris-colleges")
    command = [git, "-C", str(PROJECT_DIR), "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    return f"{version('paris-colleges')}+{told.stdout.strip()}"
