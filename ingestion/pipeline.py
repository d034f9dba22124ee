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
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import reconcile
from ingestion.errors import BuildError
from ingestion.load import LoadReport
from ingestion.load import load as load_
from ingestion.lock import Lease
from ingestion.mongodb import connect, mongodb_errors
from ingestion.pull import DatasetResult, Puller, PullOptions
from ingestion.registry import Dataset, registry
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.store import Document, Store, written
from ingestion.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from ingestion.portal import Progress

logger = logging.getLogger(__name__)

BUILD_TIMEOUT_S = 2 * 3600
_DBT_FILES = ("dbt_project.yml", "models", "macros", "seeds", "snapshots", "tests/data")


@dataclass
class Outcome:
    """What a command did, for the report."""

    # (recorded state or None for live, run sequence, results), in the order loaded
    pulls: list[tuple[Path | None, int, list[DatasetResult]]] = field(default_factory=list)
    loads: list[LoadReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    refilled: int = 0  # versions copied from the warehouse into an empty MongoDB
    is_built: bool = False

    @property
    def results(self) -> list[DatasetResult]:
        return [result for _, _, results in self.pulls for result in results]

    @property
    def problems(self) -> list[str]:
        """One line per dataset that failed or needs a decision."""
        return [f"{r.dataset.dataset_id}: {r.problem}" for r in self.results if r.problem]

    @property
    def exit_code(self) -> int:
        return int(bool(self.problems))


@dataclass
class Work:
    """A command at work: everything open, the lease held."""

    settings: Settings
    store: Store
    lease: Lease
    warehouse: Warehouse
    progress: Progress
    outcome: Outcome

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, and say that it began."""
        started = time.monotonic()
        self.progress(name, 0, 0)
        yield
        seconds = self.outcome.seconds.get(name, 0.0) + time.monotonic() - started
        self.outcome.seconds[name] = seconds

    def pull(
        self, datasets: Sequence[Dataset], state: Path | None, options: PullOptions
    ) -> list[DatasetResult]:
        """Hop 1, from a recorded portal state or from the live portals."""
        from ingestion.portal import PortalClient

        with ExitStack() as stack, self.step("pull"):
            base_urls = {}
            if state is not None:
                from sandbox.portal import ReplayPortal

                portal = stack.enter_context(ReplayPortal(state))
                base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in datasets}
            api_keys = self.settings.api_keys
            client = stack.enter_context(PortalClient(base_urls=base_urls, api_keys=api_keys))
            self.lease.confirm()
            run_ = self.store.begin_run()
            logger.info("run %d (%s): %s", run_.sequence, run_.run_id, state or "the live portals")
            options = replace(options, is_recorded_state=state is not None)
            puller = Puller(
                client, self.store, self.lease, run_, self.settings.work_dir, options, self.progress
            )
            results = [puller.pull(dataset) for dataset in datasets]
        self.outcome.pulls.append((state, run_.sequence, results))
        if any(entry["is_synthetic"] for entry in self.store.entries(run_sequence=run_.sequence)):
            mark = "Everything in this folder comes from the synthetic sample. None of it is real."
            self.settings.synthetic_mark.write_text(f"{mark}\n", encoding="utf-8")
        return results

    def load(self, datasets: Sequence[Dataset], *, anew: bool = False) -> None:
        """Hop 2, from what raw has or from nothing; then both stores are compared."""
        note = self._note()
        project = self._project_of(note, datasets)
        self._forget()
        with self.step("load"):
            step = reconcile.replay if anew else load_
            args = (self.store, self.lease, self.warehouse, datasets, self.settings.work_dir)
            report = step(*args, self.progress)
            self.outcome.loads.append(report)
        with self.step("reconcile"):
            reconcile.reconcile(self.store, self.warehouse, datasets)
        self._write_note(datasets, note, "" if report.rows else project or "")

    def build(self, datasets: Sequence[Dataset], *, force: bool, verbose: bool) -> None:
        """`dbt build`, unless raw and the project are those of the last one."""
        note, project = self._note(), project_fingerprint()
        noted = self._project_of(note, datasets)
        if noted == project and not force:
            logger.info("nothing changed since the last build: `--build` builds again")
            return
        with self.step("dbt build"):
            if not self.warehouse.is_metered:  # else dbt itself would find out, a minute later
                with self.warehouse.connect(writable=True):
                    pass
            self._forget()
            dbt_build(self.settings, verbose=verbose)
        if noted is not None:
            self._write_note(datasets, note, project)
        self.outcome.is_built = True

    # A note in MongoDB says up to which run of each table the warehouse was loaded and compared,
    # and with which dbt project it was built. It only ever allows to skip a step: it is gone before
    # anything is written there, and does not fit once something else wrote there.

    def noted_project(self, datasets: Sequence[Dataset]) -> str | None:
        """The project the warehouse was built with, or ""; None unless it has all of MongoDB."""
        return self._project_of(self._note(), datasets)

    def _project_of(self, note: Document, datasets: Sequence[Dataset]) -> str | None:
        is_whole = self._newest(datasets).items() <= note["runs"].items()
        return note["project"] if is_whole else None

    def _note(self) -> dict[str, Any]:
        query = {"_id": self.warehouse.identity, "stamp": self.warehouse.stamp}
        with mongodb_errors("read what was built last"):
            return self.store.database["builds"].find_one(query) or {"runs": {}, "project": None}

    def _forget(self) -> None:
        with mongodb_errors("forget what was built last"):
            self.store.database["builds"].delete_one({"_id": self.warehouse.identity})

    def _newest(self, datasets: Sequence[Dataset]) -> dict[str, int]:
        entries = self.store.entries(*(dataset.table for dataset in datasets))
        return {e["table_name"]: e["run_sequence"] for e in entries if written(e)}

    def _write_note(
        self, datasets: Sequence[Dataset], before: dict[str, Any], project: str
    ) -> None:
        self.lease.confirm()
        runs = before["runs"] | self._newest(datasets)
        note = {"runs": runs, "stamp": self.warehouse.stamp, "project": project}
        with mongodb_errors("note what was built"):
            query = {"_id": self.warehouse.identity}
            self.store.database["builds"].replace_one(query, note, upsert=True)


@contextmanager
def working(settings: Settings, purpose: str, progress: Progress | None = None) -> Iterator[Work]:
    """Everything open, the lease held, an empty MongoDB filled from the warehouse.

    Raises:
        CollegesError: the command as a whole cannot go on.
    """
    warehouse = open_warehouse(settings)  # a wrong setting stops the command here
    started = time.monotonic()
    settings.prepare_home()
    with connect(settings) as database, Lease(database, purpose) as lease:
        store, outcome = Store(database), Outcome()
        outcome.refilled = reconcile.refill(store, warehouse, [*registry().values()])
        outcome.seconds["start"] = time.monotonic() - started
        yield Work(settings, store, lease, warehouse, progress or (lambda *_: None), outcome)


def run(
    settings: Settings, datasets: Sequence[Dataset], command: str = "run", *,
    portal_states: Sequence[Path] = (), options: PullOptions = PullOptions(),  # noqa: B008 - frozen
    build: bool | None = None, verbose: bool = False, progress: Progress | None = None,
) -> Outcome:  # fmt: skip
    """Pull, load and reconcile each portal state in turn, then build once.

    Args:
        settings: where everything lives.
        datasets: what to read.
        command: `run`; `extract`, hop 1 alone; `load`, hop 2 alone, whatever is noted; `replay`,
            the same after the tables of raw were dropped.
        portal_states: folders of recorded portal states; empty: the live portals.
        options: how to pull.
        build: run `dbt build` at the end; None: where anything changed since the last build.
        verbose: show what dbt says while it builds.
        progress: called as rows arrive, and as each step begins.
    """
    with working(settings, command, progress) as work:
        for state in portal_states or (None,):
            if command in ("run", "extract"):
                results = work.pull(datasets, state, options)
                if command == "run" and all(result.status == "failed" for result in results):
                    return work.outcome  # nothing was read: nothing downstream can have changed
            if command != "extract" and (command != "run" or work.noted_project(datasets) is None):
                work.load(datasets, anew=command == "replay")
        if command == "run" and build is not False:
            work.build(datasets, force=build is True, verbose=verbose)
        return work.outcome


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
    pipes: Any = {} if verbose else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=PROJECT_DIR, env=environment, **pipes) as process:  # noqa: S603
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
        code = process.returncode
        raise BuildError(
            f"`dbt build` {f'failed (exit {code})' if code > 0 else 'was ended'}: see its output "
            "above and logs/dbt.log. The raw data is loaded and safe; mend the model or the data "
            "named there and run `make run` or `dbt build` again."
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
