"""The steps of a run in their order, under one lock: extract, load, reconcile, build."""

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
from ingestion.mongod import connect
from ingestion.registry import Dataset
from ingestion.settings import PROJECT_DIR, Settings

if TYPE_CHECKING:
    from ingestion.document_store import DocumentStore
    from ingestion.extract import DatasetResult, ExtractOptions, Progress
    from ingestion.load import LoadReport

logger = logging.getLogger(__name__)

SYNTHETIC_MARK = "SYNTHETIC"
"""A file of this name in ``COLLEGES_HOME`` says that nothing there is real."""


BUILD_TIMEOUT_S = 2 * 3600

_DBT_FILES = ("dbt_project.yml", "models", "macros", "seeds", "snapshots", "tests/data")


@dataclass
class Outcome:
    """What a command did, for the report."""

    extracts: list[tuple[Path | None, int, list[DatasetResult]]] = field(default_factory=list)
    """(recorded state or None for live, run sequence, results), in the order loaded."""
    loads: list[LoadReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    is_built: bool = False

    @property
    def results(self) -> list[DatasetResult]:
        return [result for _, _, results in self.extracts for result in results]

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


def run(
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    portal_states: Sequence[Path] = (),
    options: ExtractOptions,
    build: bool = True,
    progress: Progress | None = None,
) -> Outcome:
    """Extract, load and reconcile each portal state in turn, then build once.

    Args:
        settings: where everything lives.
        datasets: what to read.
        portal_states: folders of recorded portal states; empty: the live portals.
        options: how to extract.
        build: run ``dbt build`` at the end.
        progress: called as rows arrive.

    Returns:
        What was done; ``exit_code`` is not 0 where a dataset failed or needs a decision.

    Raises:
        CollegesError: the run as a whole cannot go on.
    """
    from ingestion.load import is_built, load_warehouse, note_build, reconcile
    from ingestion.warehouse import open_warehouse

    open_warehouse(settings)  # a wrong setting stops the run before anything is opened
    outcome = Outcome()
    with ExitStack() as stack:
        with outcome.timed("start"):
            store = stack.enter_context(_locked_store(settings, "run"))
        for state in portal_states or (None,):
            with outcome.timed("extract"):
                results = _extract_state(
                    outcome, store, settings, datasets, state, options, "run", progress
                )
            if all(result.status == "failed" for result in results):
                return outcome  # nothing was read, so nothing downstream can have changed
            with outcome.timed("load"):
                outcome.loads.append(load_warehouse(store, settings, datasets))
            with outcome.timed("reconcile"):
                reconcile(store, settings, datasets)
        if build:
            project = project_fingerprint()
            if is_built(store, settings, project):
                logger.info("nothing changed since the last build: `dbt build` would build again")
                return outcome
            with outcome.timed("dbt build"):
                dbt_build(settings)
            note_build(store, settings, project)
            outcome.is_built = True
    return outcome


def extract(
    settings: Settings,
    datasets: Sequence[Dataset],
    *,
    portal_states: Sequence[Path] = (),
    options: ExtractOptions,
    progress: Progress | None = None,
) -> Outcome:
    """Hop 1 alone; arguments as for :func:`run`."""
    outcome = Outcome()
    with _locked_store(settings, "extract") as store, outcome.timed("extract"):
        for state in portal_states or (None,):
            _extract_state(outcome, store, settings, datasets, state, options, "extract", progress)
    return outcome


def load(settings: Settings, datasets: Sequence[Dataset]) -> Outcome:
    """Hop 2 alone, and its reconciliation."""
    from ingestion.load import load_warehouse, reconcile
    from ingestion.warehouse import open_warehouse

    open_warehouse(settings)  # a wrong setting stops the load before anything is opened
    outcome = Outcome()
    with _locked_store(settings, "load") as store:
        with outcome.timed("load"):
            outcome.loads.append(load_warehouse(store, settings, datasets))
        with outcome.timed("reconcile"):
            reconcile(store, settings, datasets)
    return outcome


def replay(settings: Settings, datasets: Sequence[Dataset], *, apply: bool) -> Any:
    """Say how raw differs from MongoDB and, with ``apply``, rebuild it from there."""
    from ingestion.replay import replay as replay_raw

    with _locked_store(settings, "replay") as store:
        return replay_raw(store, settings, datasets, apply=apply)


@contextmanager
def _locked_store(settings: Settings, purpose: str) -> Iterator[DocumentStore]:
    from ingestion.document_store import DocumentStore
    from ingestion.registry import registry

    settings.home.mkdir(parents=True, exist_ok=True)
    with connect(settings) as database:
        store = DocumentStore(database)
        store.prepare(registry().values())
        with store.lock(purpose):
            if store.is_blank():
                from ingestion.restore import restore_if_lost

                restore_if_lost(store, settings)
            yield store


def _extract_state(
    outcome: Outcome,
    store: DocumentStore,
    settings: Settings,
    datasets: Sequence[Dataset],
    state: Path | None,
    options: ExtractOptions,
    purpose: str,
    progress: Progress | None,
) -> list[DatasetResult]:
    from ingestion.extract import extract_dataset
    from ingestion.portal import PortalClient
    from sandbox.portal import ReplayPortal

    with ExitStack() as stack:
        base_urls = {}
        if state is not None:
            portal = stack.enter_context(ReplayPortal(state))
            base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in datasets}
        client = stack.enter_context(PortalClient(base_urls=base_urls, api_keys=settings.api_keys))
        run_ = store.begin_run(code_version=code_version(), purpose=purpose)
        source = state or "the live portals"
        logger.info("run %d (%s): reading %s", run_.sequence, run_.run_id, source)
        results = [
            extract_dataset(
                dataset,
                client=client,
                store=store,
                run=run_,
                work_dir=settings.home / "dlt",
                options=replace(options, is_recorded_state=state is not None),
                progress=progress,
            )
            for dataset in datasets
        ]
        has_failed = all(result.status == "failed" for result in results)
        store.finish_run(run_, "failed" if has_failed else "finished")
    outcome.extracts.append((state, run_.sequence, results))
    if store.origin() == "synthetic":
        (settings.home / SYNTHETIC_MARK).write_text(
            "Everything in this folder comes from the synthetic sample. None of it is real.\n",
            encoding="utf-8",
        )
    return results


def dbt_build(settings: Settings, *arguments: str) -> None:
    """Run ``dbt build`` on what is in raw.

    Raises:
        BuildError: dbt said no; its own output, above, says what.
    """
    profiles_dir = Path(os.environ.get("DBT_PROFILES_DIR") or PROJECT_DIR)
    if profiles_dir == PROJECT_DIR and not (PROJECT_DIR / "profiles.yml").exists():
        shutil.copy(PROJECT_DIR / "profiles.example.yml", PROJECT_DIR / "profiles.yml")
        logger.info("wrote profiles.yml from profiles.example.yml")
    command = [
        *(sys.executable, "-m", "dbt.cli.main", "build"),
        *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(profiles_dir)),
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
    try:
        completed = subprocess.run(  # noqa: S603
            command, cwd=PROJECT_DIR, env=environment, check=False, timeout=BUILD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"`dbt build` took more than {BUILD_TIMEOUT_S // 3600} hours and was ended: see its "
            "output above and logs/dbt.log for what it waits for. The raw data is loaded and safe."
        ) from error
    if completed.returncode:
        raise BuildError(
            f"`dbt build` failed (exit {completed.returncode}): see its output above and "
            "logs/dbt.log. The raw data is loaded and safe; mend the model or the data named "
            "there and run `make run` or `dbt build` again."
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
