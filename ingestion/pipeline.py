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
from typing import Any

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
    outcome: Outcome

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, and say that it began."""
        started = time.monotonic()
        logger.info("%s", name)
        yield
        seconds = self.outcome.seconds.get(name, 0.0) + time.monotonic() - started
        self.outcome.seconds[name] = seconds

    def pull(
        self, datasets: Sequence[Dataset], state: Path | None, options: PullOptions
    ) -> list[DatasetResult]:
        """Hop 1, from a recorded portal state or from the live portals."""
        from ingestion.portal import PortalClient

        store, lease, ours = self.store, self.lease, self.settings
        with ExitStack() as stack, self.step("pull"):
            base_urls = {}
            if state is not None:
                from sandbox.portal import ReplayPortal

                portal = stack.enter_context(ReplayPortal(state))
                base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in datasets}
            client = stack.enter_context(PortalClient(base_urls, ours.api_keys))
            lease.confirm()
            run_ = store.begin_run()
            logger.info("run %d (%s): %s", run_.sequence, run_.run_id, state or "the live portals")
            options = replace(options, is_recorded_state=state is not None)
            puller = Puller(client, store, lease, run_, ours.work_dir, options)
            results = [puller.pull(dataset) for dataset in datasets]
        self.outcome.pulls.append((state, run_.sequence, results))
        if any(entry["is_synthetic"] for entry in store.entries(run_sequence=run_.sequence)):
            mark = "Everything in this folder comes from the synthetic sample. None of it is real."
            ours.synthetic_mark.write_text(f"{mark}\n", encoding="utf-8")
        return results

    def load(self, datasets: Sequence[Dataset], *, anew: bool = False) -> None:
        """Hop 2, from what raw has or from nothing; then both stores are compared."""
        with self._noting() as note:
            with self.step("load"):
                step, work_dir = reconcile.replay if anew else load_, self.settings.work_dir
                report = step(self.store, self.lease, self.warehouse, datasets, work_dir)
                self.outcome.loads.append(report)
            with self.step("reconcile"):
                reconcile.reconcile(self.store, self.warehouse, datasets)
            note["runs"] |= self._newest(datasets)
            if report.rows_appended:
                note["project"] = None

    def build(self, *, force: bool, verbose: bool) -> None:
        """`dbt build`, unless raw and the project are those of the last one."""
        project = project_fingerprint()
        if self._note()["project"] == project and not force:
            logger.info("nothing changed since the last build: `--build` builds again")
            return
        with self.step("dbt build"):
            if self.warehouse.program == "duckdb":  # else dbt itself would find out, a minute later
                with self.warehouse.connect(writable=True):
                    pass
            with self._noting() as note:
                dbt_build(self.settings, verbose=verbose)
                note["project"] = project
        self.outcome.is_built = True

    # A note in MongoDB says up to which run of each table the warehouse was loaded and compared,
    # and with which dbt project it was built. It only ever allows to skip a step: it is gone while
    # anything is written there, and does not fit once something else wrote there.

    def is_loaded(self, datasets: Sequence[Dataset]) -> bool:
        """Whether the warehouse is known to hold what MongoDB holds."""
        return bool(self._newest(datasets).items() <= self._note()["runs"].items())

    def _newest(self, datasets: Sequence[Dataset]) -> dict[str, int]:
        entries = self.store.entries(*(dataset.table for dataset in datasets))
        return {e["table_name"]: e["run_sequence"] for e in entries if written(e)}

    def _note(self) -> Document:
        query = {"_id": self.warehouse.identity, "stamp": self.warehouse.stamp}
        with mongodb_errors("read what was built last"):
            return self.store.database["builds"].find_one(query) or {"runs": {}, "project": None}

    @contextmanager
    def _noting(self) -> Iterator[Document]:
        """The note, to be changed while the warehouse is; kept where nothing fails."""
        notes, mine, note = self.store.database["builds"], self.warehouse.identity, self._note()
        with mongodb_errors("forget what was built last"):
            notes.delete_one({"_id": mine})
        yield note
        self.lease.confirm()
        with mongodb_errors("note what was built"):
            notes.insert_one(note | {"_id": mine, "stamp": self.warehouse.stamp})


@contextmanager
def _working(settings: Settings, purpose: str) -> Iterator[Work]:
    """Everything open, the lease held, an empty MongoDB filled from the warehouse."""
    warehouse = open_warehouse(settings)  # a wrong setting stops the command here
    started = time.monotonic()
    settings.prepare_home()
    with connect(settings) as database, Lease(database, purpose) as lease:
        store, outcome = Store(database), Outcome()
        outcome.refilled = reconcile.refill(store, warehouse, [*registry().values()])
        outcome.seconds["start"] = time.monotonic() - started
        yield Work(settings, store, lease, warehouse, outcome)


def run(
    settings: Settings, datasets: Sequence[Dataset], command: str = "run", *,
    portal_states: Sequence[Path] = (), options: PullOptions = PullOptions(),  # noqa: B008 - frozen
    build: bool | None = None, verbose: bool = False,
) -> Outcome:  # fmt: skip
    """Pull, load and reconcile each portal state in turn (none: the live portals), then build once.

    `command`: `run`; `extract`, hop 1 alone; `load`, hop 2 alone, whatever is noted; `replay`, the
    same after the tables of raw were dropped. `build`: `dbt build` at the end; None: where anything
    changed since the last one.
    """
    with _working(settings, command) as work:
        for state in portal_states or (None,):
            if command in ("run", "extract"):
                results = work.pull(datasets, state, options)
                if command == "run" and all(result.status == "failed" for result in results):
                    return work.outcome  # nothing was read: nothing downstream can have changed
            if command != "extract" and (command != "run" or not work.is_loaded(datasets)):
                work.load(datasets, anew=command == "replay")
        if command == "run" and build is not False:
            work.build(force=build is True, verbose=verbose)
        return work.outcome


def dbt_build(settings: Settings, *, verbose: bool) -> None:
    """Run `dbt build`; without `verbose` its output is shown only if it fails."""
    profiles_dir = Path(os.environ.get("DBT_PROFILES_DIR") or PROJECT_DIR)
    if profiles_dir == PROJECT_DIR and not (PROJECT_DIR / "profiles.yml").exists():
        shutil.copy(PROJECT_DIR / "profiles.example.yml", PROJECT_DIR / "profiles.yml")
    command = [
        *(sys.executable, "-W", "ignore", "-m", "ingestion.dbt"),
        *(() if sys.stdout.isatty() else ("--no-use-colors",)),
        *(() if verbose else ("--log-level", "warn")),  # what fails, not the hundreds that pass
        *("build", "--project-dir", str(PROJECT_DIR), "--profiles-dir", str(profiles_dir)),
        # Unit tests try rules on made-up rows: a change of the code can break them, data cannot.
        *("--target", settings.target, "--exclude-resource-type", "unit_test"),
    ]
    environment = os.environ | {
        "COLLEGES_HOME": str(settings.home),
        "DO_NOT_TRACK": "1",
        # A tenth of the build's processor time otherwise: the output has the same lines, and
        # target/run/ the SQL.
        "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE", "warn"),
        # dbt-snowflake sets no time-out for the sign-in; these are the connector's own.
        "JWT_CNXN_RETRY_ATTEMPTS": "2",
        "JWT_CNXN_WAIT_TIME": "10",
    }
    pipes: Any = {} if verbose else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    how: Any = pipes | {"cwd": PROJECT_DIR, "env": environment, "timeout": BUILD_TIMEOUT_S}
    try:
        subprocess.run(command, check=True, **how)  # noqa: S603
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.stderr.buffer.write(error.output or b"")
        sys.stderr.flush()
        code = getattr(error, "returncode", -1)
        raise BuildError(
            f"`dbt build` {f'failed (exit {code})' if code > 0 else 'was ended'}: see its output "
            "above and logs/dbt.log. The raw data is loaded and safe; mend the model or the data "
            "named there and run `make run` or `dbt build` again."
        ) from error


def project_fingerprint() -> str:
    """SHA-256 over the dbt project's files and the prefix of its schemas."""
    digest = sha256(os.environ.get("COLLEGES_SCHEMA_PREFIX", "").encode())
    for path in (PROJECT_DIR / name for name in _DBT_FILES):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"\0{file.relative_to(PROJECT_DIR)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
