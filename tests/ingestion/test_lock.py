"""The lease: one holder at a time, and none for longer than it lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from pymongo.database import Database

from ingestion import lock
from ingestion.errors import LockedError
from ingestion.lock import Lease

Db = Database[dict[str, Any]]


def test_one_holder_at_a_time(database: Db) -> None:
    with Lease(database, "first") as first:
        with pytest.raises(LockedError, match=f"`first` holds this store: process {os.getpid()}"):
            Lease(database, "second").__enter__()
        first.confirm()
    with Lease(database, "second") as second:
        second.confirm()
    assert database["lease"].count_documents({}) == 0


def test_a_dead_process_of_this_machine_is_taken_over_at_once(database: Db) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leave_behind(database, pid=dead.pid)
    with Lease(database, "next") as lease:
        lease.confirm()


def test_of_a_process_elsewhere_only_the_age_is_known(database: Db) -> None:
    leave_behind(database, host="elsewhere 4026531836")
    with pytest.raises(LockedError, match="on elsewhere"):
        Lease(database, "next", lease_s=60).__enter__()
    time.sleep(1.2)
    with Lease(database, "next", lease_s=1) as lease:
        lease.confirm()


def leave_behind(database: Db, **values: Any) -> None:
    """The lease of a process that ended without giving it back."""
    left = Lease(database, "killed")
    left.__enter__()
    left._released.set()
    database["lease"].update_one({}, {"$set": values})


def test_a_lease_is_renewed(database: Db) -> None:
    with Lease(database, "long", lease_s=1) as lease:
        time.sleep(2.5)
        with pytest.raises(LockedError):
            Lease(database, "other", lease_s=1).__enter__()
        lease.confirm()


def test_who_lost_the_lease_may_not_commit(database: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_EVERY_S", 1000)
    asleep = Lease(database, "asleep", lease_s=1000)
    with asleep:
        time.sleep(0.2)
        with Lease(database, "awake", lease_s=0.1) as awake:
            with pytest.raises(LockedError, match="lost the lease"):
                asleep.confirm()
            awake.confirm()
        with pytest.raises(LockedError):
            asleep.confirm()
