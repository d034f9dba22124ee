"""The lease on a document store: who may write to it, and to the warehouse it feeds.

It is one document in MongoDB, dated by the server's clock, renewed by a thread, and asked for
before each commit. A holder that does not renew it for a minute has lost it; one whose process has
died on this machine loses it at once.
"""

from __future__ import annotations

import logging
import os
import platform
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from ingestion.errors import LockedError
from ingestion.mongodb import mongodb_errors

logger = logging.getLogger(__name__)

LEASE_S = 60.0
RENEW_EVERY_S = 15.0


class Lease:
    """The lease; held while the context lasts."""

    def __init__(
        self, database: Database[dict[str, Any]], purpose: str, *, lease_s: float = LEASE_S
    ) -> None:
        """`purpose`: the command, told to whoever finds the store locked."""
        self._leases = database["lease"]
        self._purpose, self._lease_s = purpose, lease_s
        self._mine = {"_id": "store", "token": secrets.token_hex(16)}
        self._released = threading.Event()

    def __enter__(self) -> Self:
        with mongodb_errors("take the lease of the document store"):
            while (holder := self._take())["token"] != self._mine["token"]:
                if holder["host"] != _host() or _is_alive(holder["pid"]):
                    raise LockedError(
                        f"`{holder['purpose']}` holds this store: process {holder['pid']} on "
                        f"{holder['host'].partition(' ')[0]}, since {holder['since']:%F %T} UTC. "
                        "Wait until it ends; if it died, the store is free "
                        f"{self._lease_s:g} s after its end."
                    )
                logger.warning("taking over from process %d, which has died", holder["pid"])
                self._leases.delete_one({"_id": "store", "token": holder["token"]})
        threading.Thread(target=self._renew, name="lease", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        # Not for long: where MongoDB is gone, the error on its way out says so.
        with suppress(PyMongoError), pymongo.timeout(5):
            self._leases.delete_one(self._mine)

    def confirm(self) -> None:
        """Asked before each commit: a LockedError where another run took the lease over."""
        with mongodb_errors("make sure of the lease of the document store"):
            if self._leases.find_one(self._mine, {"_id": 1}):
                return
        raise LockedError(
            "This run lost the lease of the store, because it stood still for more than "
            f"{self._lease_s:g} s, and stops: another run may be writing. Nothing is half done; "
            "run again once no other run is going on."
        )

    def _take(self) -> dict[str, Any]:
        """Write the document where there is none, or one not renewed in time; the one there is."""
        age = {"$subtract": ["$$NOW", {"$ifNull": ["$renewed_at", 0]}]}
        own = self._mine | {
            "host": {"$literal": _host()},
            "pid": os.getpid(),
            "purpose": {"$literal": self._purpose},
            "since": "$$NOW",
            "renewed_at": "$$NOW",
        }
        is_free = {"$gt": [age, 1000 * self._lease_s]}
        # A pipeline, since only there the server's clock can be read and written.
        change = [{"$replaceWith": {"$cond": [is_free, own, "$$ROOT"]}}]
        self._leases.update_one({"_id": "store"}, change, upsert=True)
        return self._leases.find_one({"_id": "store"}) or self._take()

    def _renew(self) -> None:
        while not self._released.wait(min(RENEW_EVERY_S, self._lease_s / 4)):
            with suppress(PyMongoError):
                self._leases.update_one(self._mine, [{"$set": {"renewed_at": "$$NOW"}}])


def _host() -> str:
    """This machine and, in a container, its own numbering of processes."""
    with suppress(OSError):
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
