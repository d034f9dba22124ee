"""Portals that fail at every stage of a pull: nothing half read counts, the next run is whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.conftest import COLLEGES, FEW, IPS, Jobs, Store, rewritten

pytestmark = pytest.mark.timeout(600)

STAGES = {
    "probe": {"dataset": COLLEGES, "endpoint": "dataset"},
    "count": {"dataset": IPS, "endpoint": "records"},
    "export": {"dataset": COLLEGES, "endpoint": "exports"},
    "verify": {"dataset": COLLEGES, "endpoint": "dataset", "after": 1},
    "verify count": {"dataset": IPS, "endpoint": "records", "after": 1},
}
KINDS: dict[str, dict[str, Any]] = {
    "quota": {"kind": "quota"},
    "500": {"kind": "server_error", "status": 500},
    "503": {"kind": "server_error", "status": 503},
    "bad request": {"kind": "bad_request"},
    "unauthorized": {"kind": "unauthorized"},
    "silence": {"kind": "stall"},
}
RECOVERS = ("500", "503", "silence")
"""What one more try may mend."""


@pytest.fixture(scope="module")
def pulled(jobs: Jobs, make_store: Callable[[], Store], states: list[Path]) -> SimpleNamespace:
    """One state pulled, and what the second leads to where nothing goes wrong."""
    store = make_store()
    jobs.succeed(store, "extract", datasets=FEW, portal=states[0])
    undisturbed = store.clone(store.home.with_name(store.home.name + "-undisturbed"))
    jobs.succeed(undisturbed, "extract", datasets=FEW, portal=states[1])
    reference = SimpleNamespace(
        store=store, before=store.histories(), after=undisturbed.histories(), states=states
    )
    undisturbed.drop()
    return reference


def fails(jobs: Jobs, store: Store, pulled: SimpleNamespace, *faults: dict[str, Any]) -> str:
    """Pull the second state with these faults: their dataset fails, the other does not."""
    struck = faults[0]["dataset"]
    ((_, other),) = ((struck, d) for d in FEW if d != struck)
    is_silent = faults[0]["kind"] == "stall"
    # A silent portal is waited for at every attempt of every pull.
    job = {"datasets": FEW, "portal": pulled.states[1], "attempts": 1 if is_silent else 2}
    answer = jobs.run(store, "extract", faults=faults, **job)
    assert (answer["signal"], answer["exit"]) == (0, 1), answer
    results = answer["results"]
    assert results[struck]["status"] == "failed"
    # Both portals are one address here, and one that was silent from the start is not asked again.
    assert is_silent or results[other]["status"] in ("finished", "unchanged"), answer
    assert struck in results[struck]["error"]
    histories = store.histories()
    assert histories[struck] == pulled.before[struck], "nothing of it was kept, nothing withdrawn"
    assert is_silent or histories[other] == pulled.after[other], "the other is whole"
    assert store.leftovers() == 0
    return str(results[struck]["error"])


@pytest.mark.parametrize("stage", STAGES)
def test_errors_at_every_stage(
    stage: str, jobs: Jobs, cloned: Callable[[Store], Store], pulled: SimpleNamespace
) -> None:
    """Each kind for good, one after another on one store; then once; then the portal is well."""
    store = cloned(pulled.store)
    where = STAGES[stage]
    for name, fault in KINDS.items():
        # Three silent pulls would take half a minute, and show nothing more.
        if (name, stage) != ("silence", "export"):
            fails(jobs, store, pulled, where | fault)
    once = [where | KINDS[name] | {"times": 1} for name in RECOVERS]
    jobs.succeed(store, "extract", datasets=FEW, portal=pulled.states[1], faults=once)
    assert store.histories() == pulled.after


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "recorded"])
@pytest.mark.parametrize("stage", ["probe", "export", "verify"])
def test_a_dataset_that_is_gone(
    stage: str,
    is_live: bool,
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    pulled: SimpleNamespace,
) -> None:
    """A 404 withdraws nothing. Live it is a failure; a recorded state may lack a dataset."""
    store = cloned(pulled.store)
    fault = STAGES[stage] | {"kind": "missing_dataset"}
    job = {"datasets": FEW, "portal": pulled.states[1], "is_live": is_live}
    answer = jobs.run(store, "extract", faults=[fault], **job)
    assert (answer["signal"], answer["exit"]) == (0, int(is_live)), answer
    result = answer["results"][COLLEGES]
    assert result["status"] == ("failed" if is_live else "not_recorded")
    assert not is_live or "does not know" in result["error"]
    assert store.histories() == pulled.after | {COLLEGES: pulled.before[COLLEGES]}
    assert store.leftovers() == 0
    jobs.succeed(store, "extract", **job)
    assert store.histories() == pulled.after


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_cut_at_any_byte(
    seed: int, jobs: Jobs, cloned: Callable[[Store], Store], pulled: SimpleNamespace
) -> None:
    store = cloned(pulled.store)
    (records,) = pulled.states[1].glob(f"*/{COLLEGES}/records.jsonl")
    chance = random.Random(seed)
    cuts = [
        {
            "dataset": COLLEGES,
            "kind": "cut_stream",
            "size": chance.randrange(records.stat().st_size),
            "framing": framing,
        }
        for framing in ("chunked", "length")
    ]
    fails(jobs, store, pulled, cuts[seed % 2])
    twice = [cut | {"times": 1} for cut in cuts]
    jobs.succeed(store, "extract", datasets=FEW, portal=pulled.states[1], faults=twice)
    assert store.histories() == pulled.after


def test_counts_that_do_not_reconcile(
    jobs: Jobs, cloned: Callable[[Store], Store], pulled: SimpleNamespace
) -> None:
    """Well ended, 200, and yet not what was announced: never a reason to withdraw a record."""
    store = cloned(pulled.store)
    export = {"dataset": COLLEGES, "endpoint": "exports"}
    for fault in (
        export | {"kind": "empty_but_ok"},
        export | {"kind": "truncated_but_ok", "records": 1},
        export | {"kind": "truncated_but_ok", "records": 150},
        export | {"kind": "garbage_line", "records": 3},
        {"dataset": COLLEGES, "kind": "wrong_count", "off_by": 1},
        {"dataset": COLLEGES, "kind": "wrong_count", "off_by": -150},
        {"dataset": COLLEGES, "kind": "processed_moves"},
        # Last: it lets the other dataset's pull through.
        {"dataset": IPS, "kind": "wrong_count", "endpoint": "records", "off_by": -1},
    ):
        error = fails(jobs, store, pulled, fault)
        assert "announces" in error or "other data during the pull" in error
    once = [export | {"kind": "empty_but_ok", "times": 1}]
    jobs.succeed(store, "extract", datasets=FEW, portal=pulled.states[1], faults=once)
    assert store.histories() == pulled.after


def test_an_empty_portal_that_counts_nothing_either(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    pulled: SimpleNamespace,
    shrunk: Callable[[int], Path],
) -> None:
    """It reconciles, so the volume floor alone stands between it and the records."""
    store = cloned(pulled.store)
    answer = jobs.run(store, "extract", datasets=FEW, portal=shrunk(0))
    assert answer["exit"] == 1, answer
    assert "--accept-shrink" in answer["results"][COLLEGES]["withdrawal_refused"]
    assert answer["results"][COLLEGES]["counts"]["rows_received"] == 0
    assert store.histories()[COLLEGES] == pulled.before[COLLEGES]
    jobs.succeed(store, "extract", datasets=FEW, portal=pulled.states[1])
    assert store.histories() == pulled.after


def test_a_dataset_that_shrinks_below_its_floor(
    jobs: Jobs,
    cloned: Callable[[Store], Store],
    pulled: SimpleNamespace,
    shrunk: Callable[[int], Path],
) -> None:
    """Refused and said so; decided anew although the portal did not change; then allowed."""
    store = cloned(pulled.store)
    small = {"datasets": FEW, "portal": shrunk(40)}
    for _ in range(2):
        answer = jobs.run(store, "run", **small)
        assert answer["exit"] == 1, answer
        told = answer["results"][COLLEGES]["withdrawal_refused"]
        assert "40 readable rows are below this dataset's floor of 100" in told
        assert not any(h[-1][2] for h in store.histories()[COLLEGES].values())

    answer = jobs.succeed(store, "run", options={"accept_shrink": True}, **small)
    present = [h for h in store.histories()[COLLEGES].values() if not h[-1][2]]
    assert len(present) == 40
    withdrawn = answer["results"][COLLEGES]["counts"]["rows_withdrawn"]
    assert withdrawn == len(store.histories()[COLLEGES]) - 40
    refusals = store.ask(
        "select run_sequence, is_withdrawal_refused, rows_withdrawn from raw._source_load"
        f" where dataset = '{COLLEGES}' and status = 'finished' and run_sequence > 1 order by 1"
    )
    assert refusals[-1][1:] == (False, withdrawn)
    assert [row[1:] for row in refusals[:-1]] == [(True, 0)] * 2
    # Once allowed, it is no question any more.
    assert jobs.succeed(store, "run", **small)["results"][COLLEGES]["status"] == "unchanged"


@pytest.fixture
def shrunk(tmp_path: Path, states: list[Path]) -> Callable[[int], Path]:
    """A maker of states whose collèges are the first so many, and are announced as so many."""
    return lambda rows: rewritten(
        states[0], tmp_path / f"shrunk{rows}", COLLEGES, lambda lines: lines[:rows]
    )
