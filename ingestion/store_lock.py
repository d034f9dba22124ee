"""The one lock of a document store: who may write to it, and to the warehouse it feeds."""

from __future__ import annotations

import logging
import os
import platform
import secrets
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Self

import pymongo
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from ingestion.errors import LockedError
from ingestion.mongod import mongodb_errors

log = logging.getLogger(__name__)

Document = dict[str, Any]

LEASE_S = 60.0
HEARTBEAT_S = 15.0
RELEASE_TIMEOUT_S = 5.0


class StoreLock:
    """The one lock of a store: a document that says who holds it. Use as a context manager.

    A holder on this machine is alive while its process is. Of one elsewhere only its heartbeat is
    known: it counts as dead a lease after the last one, by the MongoDB server's clock alone.
    """

    def __init__(
        self,
        locks: Collection[Document],
        purpose: str,
        *,
        lease_s: float,
        heartbeat_s: float,
    ) -> None:
        """``purpose`` is told to whoever finds the lock held; the heartbeat beats the lease."""
        self._locks = locks
        self._purpose = purpose
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._token = secrets.token_hex(16)
        self._lost: str | None = None
        self._released = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="store lock", daemon=True)

    def __enter__(self) -> Self:
        with mongodb_errors("take the lock of the document store"):
            while not self._insert():
                holder = self._holder()
                if holder is None:
                    continue
                if not self._is_dead(holder):
                    raise LockedError(self._complaint(holder))
                log.warning(
                    "taking over the lock of `%s`, process %s on %s: it is dead",
                    holder["purpose"], holder["pid"], holder["host"],
                )  # fmt: skip
                # Only if it is still the one that was found dead.
                self._locks.delete_one({"_id": "store", "token": holder["token"]})
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        try:
            # Not for long: where MongoDB is gone, the error on its way out says so.
            with pymongo.timeout(RELEASE_TIMEOUT_S):
                self._locks.delete_one({"_id": "store", "token": self._token})
        except PyMongoError as error:
            log.warning(
                "could not release the lock (%s); the next run on this machine takes it over",
                type(error).__name__,
            )

    def check(self) -> None:
        """Make sure that the lock is still held.

        Raises:
            LockedError: it was lost; what is being written must not be committed.
        """
        if self._lost:
            raise LockedError(f"This run lost the lock of the store and stops: {self._lost}")

    def confirm(self) -> None:
        """As `check`, asking MongoDB and not the heartbeat."""
        with mongodb_errors("make sure of the lock of the document store"):
            if not self._locks.find_one({"_id": "store", "token": self._token}, {"_id": 1}):
                self._lost = self._lost or "another run took it over."
        self.check()

    def _insert(self) -> bool:
        # A pipeline, because only there the server's clock can be written.
        document = {
            "_id": "store",
            "token": self._token,
            "host": {"$literal": platform.node()},
            "pid": os.getpid(),
            "process_started": _process_started(os.getpid()),
            "machine": {"$literal": _machine()},
            "purpose": {"$literal": self._purpose},
            "since": "$$NOW",
            "renewed_at": "$$NOW",
        }
        try:
            self._locks.update_one(
                {"_id": "store", "token": {"$exists": False}},
                [{"$replaceWith": document}],
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return True

    def _holder(self) -> Document | None:
        age = {"$divide": [{"$subtract": ["$$NOW", "$renewed_at"]}, 1000]}
        return next(self._locks.aggregate([{"$set": {"age_s": age}}]), None)

    def _is_dead(self, holder: Document) -> bool:
        if holder["machine"] == _machine():
            return not _is_alive(holder["pid"], holder["process_started"])
        if holder["age_s"] >= 0:
            return bool(holder["age_s"] > self._lease_s)
        # The server's clock was set back. Who lives renews the lock by the new one.
        time.sleep(2 * self._heartbeat_s)
        later = self._holder()
        return later is not None and later["renewed_at"] == holder["renewed_at"]

    def _complaint(self, holder: Document) -> str:
        elsewhere = holder["machine"] != _machine()
        return (
            f"`{holder['purpose']}` holds this store: process {holder['pid']} on "
            f"{holder['host']}, since {holder['since']:%Y-%m-%d %H:%M:%S} UTC. Wait until it ends"
            + (
                f"; if that machine is gone, the lock frees itself within {self._lease_s:g} s."
                if elsewhere
                else ", or stop that process; the lock of a dead one is taken over by itself."
            )
        )

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._released.wait(self._heartbeat_s):
            try:
                found = self._locks.update_one(
                    {"_id": "store", "token": self._token},
                    [{"$set": {"renewed_at": "$$NOW"}}],
                )
            except PyMongoError as error:
                if time.monotonic() - renewed > self._lease_s:
                    self._lost = f"MongoDB was out of reach for too long ({type(error).__name__})."
                    return
                continue
            if not found.matched_count:
                self._lost = "another run took it over."
                return
            renewed = time.monotonic()


def _machine() -> str:
    """Names what a process id is unique in: this boot of this kernel, this pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{platform.node()} {uuid.getnode():x}"


def _is_alive(pid: int, started: str | None) -> bool:
    """Whether the process that had this id and start time still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = _process_started(pid)
    return now is None or started is None or now == started


def _process_started(pid: int) -> str | None:
    """When a process started, in any unit that tells two with one id apart.

    Empty for one that ended and was not waited for; None where it cannot be told.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = subprocess.run(  # noqa: S603 — no shell, and the one argument is a number
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
        return told.stdout.strip() or None
    # The second field is the program's name in brackets, and may hold spaces and brackets.
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
