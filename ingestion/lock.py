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
from pymongo.errors import DuplicateKeyError, PyMongoError

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
        self._purpose = purpose
        self._lease_s = lease_s
        self._token = secrets.token_hex(16)
        self._released = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        with mongodb_errors("take the lease of the document store"):
            while not self._take():
                holder = self._leases.find_one({"_id": "store"})
                if holder is None:
                    continue
                if holder["host"] != _host() or _is_alive(holder["pid"]):
                    raise LockedError(self._complaint(holder))
                logger.warning("taking over from process %d, which has died", holder["pid"])
                self._leases.delete_one({"_id": "store", "token": holder["token"]})
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        # Not for long: where MongoDB is gone, the error on its way out says so.
        with suppress(PyMongoError), pymongo.timeout(5):
            self._leases.delete_one({"_id": "store", "token": self._token})

    def confirm(self) -> None:
        """Make sure that this process still holds the lease; asked before each commit.

        Raises:
            LockedError: another run took it over.
        """
        with mongodb_errors("make sure of the lease of the document store"):
            if self._leases.find_one({"_id": "store", "token": self._token}, {"_id": 1}):
                return
        raise LockedError(
            "This run lost the lease of the store, because it stood still for more than "
            f"{self._lease_s:g} s, and stops: another run may be writing. Nothing is half done; "
            "run again once no other run is going on."
        )

    def _take(self) -> bool:
        """Write the document where there is none, or one that was not renewed in time."""
        age = {"$subtract": ["$$NOW", {"$ifNull": ["$renewed_at", 0]}]}
        document = {
            "_id": "store",
            "token": self._token,
            "host": {"$literal": _host()},
            "pid": os.getpid(),
            "purpose": {"$literal": self._purpose},
            "since": "$$NOW",
            "renewed_at": "$$NOW",
        }
        query = {"_id": "store", "$expr": {"$gt": [age, 1000 * self._lease_s]}}
        if self._leases.update_one(query, [{"$replaceWith": document}]).matched_count:
            return True
        try:  # a pipeline, since only there the server's clock can be written
            self._leases.update_one(
                {"_id": "store", "token": None}, [{"$replaceWith": document}], upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    def _renew(self) -> None:
        while not self._released.wait(min(RENEW_EVERY_S, self._lease_s / 4)):
            with suppress(PyMongoError):
                self._leases.update_one(
                    {"_id": "store", "token": self._token}, [{"$set": {"renewed_at": "$$NOW"}}]
                )

    def _complaint(self, holder: dict[str, Any]) -> str:
        return (
            f"`{holder['purpose']}` holds this store: process {holder['pid']} on "
            f"{holder['host'].partition(' ')[0]}, since {holder['since']:%Y-%m-%d %H:%M:%S} UTC. "
            f"Wait until it ends; if it died, the store is free {self._lease_s:g} s after its end."
        )


def _host() -> str:
    """This machine and, in a container, its own numbering of processes."""
    with suppress(OSError):
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
