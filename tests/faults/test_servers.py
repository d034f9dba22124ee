"""mongod killed in the middle, disks that fill up, two runs at once."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.lock import Lease
from ingestion.mongodb import connect
from ingestion.settings import Settings
from sandbox.mongod import embedded
from tests.browser import absent
from tests.faults.conftest import COLLEGES, FEW, Jobs, Store, rewritten, spread
from tests.programs import programs

pytestmark = pytest.mark.timeout(600)

MONGOD_POINTS = 4


# -- mongod killed ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server(jobs: Jobs, states: list[Path]) -> Iterator[SimpleNamespace]:
    """A home with a mongod of its own: one state loaded; what the second leads to."""
    with tempfile.TemporaryDirectory(prefix="colleges-fault-", dir="/tmp") as parent:
        seed = own(Path(parent) / "seed")
        jobs.succeed(seed, "run", datasets=FEW, portal=states[0], mongodb_uri=None)
        undisturbed = own(Path(parent) / "undisturbed", seed)
        settled = {"datasets": FEW, "portal": states[1], "mongodb_uri": None}
        events = jobs.succeed(undisturbed, "extract", **settled)["events"]
        extracted = own(Path(parent) / "extracted", undisturbed)
        load_events = jobs.succeed(undisturbed, "load", datasets=FEW, mongodb_uri=None)["events"]
        histories, _ = ends_with(undisturbed)
        yield SimpleNamespace(
            seed=seed,
            extracted=extracted,
            job=settled,
            events={"extract": len(events), "load": len(load_events)},
            histories=histories,
            raw=undisturbed.raw(),
        )


def own(home: Path, like: Store | None = None) -> Store:
    if like:
        shutil.copytree(like.home, home, ignore=shutil.ignore_patterns("*.sock"))
    return Store(home, "", "paris_colleges")


def ends_with(store: Store) -> tuple[Any, int]:
    """The histories and the leftovers in a home's own server."""
    with embedded(store.home) as uri:
        opened = Store(store.home, uri, "paris_colleges")
        return opened.histories(), opened.leftovers()


@contextlib.contextmanager
def restarted_when_killed(home: Path) -> Iterator[None]:
    """A server that a second user starts again as soon as it is gone."""
    done = threading.Event()

    def watch() -> None:
        with embedded(home):
            pid = int((home / "mongodb" / "data" / "mongod.lock").read_text())
            ready.set()
            while not done.is_set() and Path(f"/proc/{pid}").exists():
                time.sleep(0.05)
        with embedded(home):
            done.wait()

    ready = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        done.set()
        thread.join(60)


@pytest.mark.parametrize("comes_back", [False, True], ids=["stays dead", "comes back"])
@pytest.mark.parametrize("command", ["extract", "load"])
@pytest.mark.parametrize("nth", range(1, MONGOD_POINTS - 1))
def test_mongod_killed(
    nth: int,
    command: str,
    comes_back: bool,
    jobs: Jobs,
    short: Path,
    own_server: SimpleNamespace,
) -> None:
    """The run ends by itself, well or with an error of ours; the next one completes it."""
    like = own_server.seed if command == "extract" else own_server.extracted
    store = own(short / "home", like)
    job = own_server.job if command == "extract" else {"datasets": FEW, "mongodb_uri": None}
    event = spread(own_server.events[command], MONGOD_POINTS, nth)
    with restarted_when_killed(store.home) if comes_back else contextlib.nullcontext():
        struck = jobs.run(store, command, kill_mongod=True, kill_at=event, **job)
    assert struck["signal"] == 0
    assert struck["exit"] in (0, 1), struck["log"]

    jobs.succeed(store, command, **job)
    histories, leftovers = ends_with(store)
    assert histories == own_server.histories, struck["log"]
    assert leftovers == 0
    if command == "load":
        assert store.raw() == own_server.raw


# -- full disks ------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Callable[[], None]]:
    """A file system of its own, and what makes room on it."""
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        absent("Mounting a small disk takes root; test_files_may_grow_no_further does not.")
    try:
        yield (
            lambda: (
                subprocess.run(["mount", "-o", "remount,size=800m", str(path)], check=True) and None
            )
        )
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory, states: list[Path]) -> Path:
    """A state whose first collèges carry 30 MB that hardly compress."""
    noise = random.Random(0)

    def grow(lines: list[bytes]) -> list[bytes]:
        return [
            line[:-1] + b', "noise": "%b"}' % noise.randbytes(200_000).hex().encode()
            for line in lines[:75]
        ] + lines[75:]

    return rewritten(states[0], tmp_path_factory.mktemp("large") / "state", COLLEGES, grow)


@pytest.fixture(scope="session")
def large_end(jobs: Jobs, make_store: Callable[[], Store], large: Path) -> SimpleNamespace:
    store = make_store()
    jobs.succeed(store, "run", datasets=[COLLEGES], portal=large)
    end = SimpleNamespace(
        histories=store.histories(), raw=store.raw(), raw_by_rank=store.raw_by_rank()
    )
    store.drop()
    return end


def test_the_disk_of_mongodb_is_full(
    jobs: Jobs, short: Path, large: Path, large_end: SimpleNamespace
) -> None:
    store = own(short / "home")
    job = {"datasets": [COLLEGES], "portal": large, "mongodb_uri": None}
    with small_disk(store.home / "mongodb", 24) as make_room:
        full = jobs.run(store, "extract", **job)
        assert (full["signal"], full["exit"]) == (0, 1), full["log"]
        assert "is full" in full["log"], full["log"]
        make_room()
        jobs.succeed(store, "extract", **job)
        assert ends_with(store) == (large_end.histories, 0)


def test_the_disk_of_the_working_files_is_full(
    jobs: Jobs,
    make_store: Callable[[], Store],
    short: Path,
    large: Path,
    large_end: SimpleNamespace,
) -> None:
    """The pull does not fit where it is spooled: an error of ours, and nothing of it in MongoDB."""
    like = make_store()
    store = Store(short / "home", like.server, like.database)
    job = {"datasets": [COLLEGES], "portal": large}
    with small_disk(store.home, 5) as make_room:
        full = jobs.run(store, "extract", **job)
        assert (full["signal"], full["exit"]) == (0, 1), full["log"]
        assert "is full" in full["log"], full["log"]
        assert store.leftovers() == 0
        make_room()
        jobs.succeed(store, "extract", **job)
        assert store.histories() == large_end.histories


def test_the_disk_of_the_warehouse_is_full(
    jobs: Jobs,
    make_store: Callable[[], Store],
    short: Path,
    large: Path,
    large_end: SimpleNamespace,
) -> None:
    like = make_store()
    jobs.succeed(like, "extract", datasets=[COLLEGES], portal=large)
    store = Store(short / "home", like.server, like.database)
    with small_disk(store.home, 10) as make_room:
        full = jobs.run(store, "load", datasets=[COLLEGES])
        assert (full["signal"], full["exit"]) == (0, 1), full["log"]
        assert "is full" in full["log"], full["log"]
        make_room()
        jobs.succeed(store, "load", datasets=[COLLEGES])
        assert store.raw() == large_end.raw


def test_files_may_grow_no_further(
    jobs: Jobs,
    make_store: Callable[[], Store],
    short: Path,
    large: Path,
    large_end: SimpleNamespace,
) -> None:
    """What a full disk does to files, without root: in mongod's, the pull's and the warehouse's."""
    pull = {"datasets": [COLLEGES], "portal": large}
    embedded = own(short / "home")
    full = jobs.run(embedded, "extract", mongodb_uri=None, file_mb=12, **pull)
    assert (full["signal"], full["exit"]) == (0, 1), full["log"]
    assert "Its files may grow no further: lift `ulimit -f`" in full["log"]
    jobs.succeed(embedded, "extract", mongodb_uri=None, **pull)
    assert ends_with(embedded) == (large_end.histories, 0)

    store = make_store()
    full = jobs.run(store, "extract", file_mb=5, **pull)
    assert (full["signal"], full["exit"]) == (0, 1), full["log"]
    assert "is full (or a quota or `ulimit -f` is met). Nothing of this step" in full["log"]
    assert store.leftovers() == 0
    jobs.succeed(store, "extract", **pull)
    full = jobs.run(store, "load", file_mb=5, datasets=[COLLEGES])
    assert (full["signal"], full["exit"]) == (0, 1), full["log"]
    assert "is full (or a quota or `ulimit -f` is met). Nothing of this step" in full["log"]
    jobs.succeed(store, "load", datasets=[COLLEGES])
    assert store.histories() == large_end.histories
    assert store.raw_by_rank() == large_end.raw_by_rank


# -- two runs at once ------------------------------------------------------------------------------


def test_two_runs_at_once(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> None:
    """The second ends with 3 and says who holds the store; a dead holder is taken over."""
    store = make_store()
    environment = os.environ | {"COLLEGES_HOME": str(store.home), "MONGODB_URI": store.uri}

    def second() -> subprocess.CompletedProcess[str]:
        return programs.run(["-m", "ingestion.cli", "load"], environment, timeout_s=120)

    settings = Settings(home=store.home, target="duckdb", mongodb_uri=store.uri)
    with connect(settings) as database, Lease(database, "the first"):
        refused = second()
    assert refused.returncode == 3
    assert f"`the first` holds this store: process {os.getpid()} on" in refused.stderr
    assert platform.node() in refused.stderr
    assert "Traceback" not in refused.stderr

    killed = jobs.run(store, "extract", datasets=FEW, portal=states[0], kill_at=10)
    assert killed["signal"], killed
    taken = second()
    assert taken.returncode == 0, taken.stderr
    assert "taking over from process" in taken.stderr
