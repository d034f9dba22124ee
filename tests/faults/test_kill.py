"""``kill -9`` at twenty boundaries of extract and of load: the end state is the undisturbed one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults.conftest import Jobs, Store, spread

POINTS = 20

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def before_extract(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path]
) -> SimpleNamespace:
    """Two states loaded; the third brings new, changed, withdrawn and restored records."""
    store = make_store()
    for state in states[:2]:
        jobs.succeed(store, "extract", portal=state)
        jobs.succeed(store, "load")
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    events = jobs.succeed(undisturbed, "extract", portal=states[2])["events"]
    jobs.succeed(undisturbed, "load")
    reference = SimpleNamespace(histories=undisturbed.histories(), events=events, store=store)
    undisturbed.drop()
    return reference


@pytest.fixture(scope="module")
def before_load(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> SimpleNamespace:
    """One state loaded, two more extracted and waiting."""
    store = make_store()
    jobs.succeed(store, "extract", portal=states[0])
    jobs.succeed(store, "load")
    for state in states[1:3]:
        jobs.succeed(store, "extract", portal=state)
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    events = jobs.succeed(undisturbed, "load")["events"]
    reference = SimpleNamespace(raw=undisturbed.raw(), events=events, store=store)
    undisturbed.drop()
    return reference


@pytest.mark.parametrize("nth", range(POINTS))
def test_extract_killed(
    nth: int,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    before_extract: SimpleNamespace,
) -> None:
    store = cloned(before_extract.store)
    event = spread(before_extract.events, POINTS, nth)
    killed = jobs.run(store, "extract", portal=states[2], kill_at=event)
    assert killed["signal"] == signal.SIGKILL, killed

    jobs.succeed(store, "extract", portal=states[2])

    assert store.histories() == before_extract.histories, killed["last"]
    assert store.leftovers() == 0, killed["last"]
    jobs.succeed(store, "load")  # reconciles


@pytest.mark.parametrize("nth", range(POINTS))
def test_load_killed(
    nth: int,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    before_load: SimpleNamespace,
) -> None:
    store = cloned(before_load.store)
    event = spread(before_load.events, POINTS, nth)
    killed = jobs.run(store, "load", kill_at=event)
    assert killed["signal"] == signal.SIGKILL, killed

    jobs.succeed(store, "load")

    assert store.raw() == before_load.raw, killed["last"]


@pytest.mark.parametrize("delay_s", [0.05, 0.2, 0.4, 0.7, 1.0])
def test_run_killed_between_boundaries(
    delay_s: float,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    states: list[Path],
    before_extract: SimpleNamespace,
) -> None:
    """At a time, not at a boundary: in the middle of whatever goes on then, twice in a row."""
    store = cloned(before_extract.store)
    for again in (1, 2):
        jobs.run(store, "run", portal=states[2], kill_after_s=delay_s * again)

    jobs.succeed(store, "run", portal=states[2])

    assert store.histories() == before_extract.histories
    assert store.leftovers() == 0
