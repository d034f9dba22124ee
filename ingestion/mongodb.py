"""The connection to MongoDB, and what its errors mean."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from ingestion.errors import StoreError
from ingestion.settings import Settings

DATABASE = "paris_colleges"
_TIMEOUT_MS = 15_000
"""A replica set takes up to 12 s to elect a primary."""


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """Open the database of `MONGODB_URI` (`paris_colleges`, if it names none), or the home's own.

    Writes are acknowledged by a majority and journalled, whatever the URI says; dates are UTC.

    Raises:
        StoreError: no server, no answer, or no rights; credentials are never shown.
    """
    if settings.mongodb_uri is not None:
        with _database(settings.mongodb_uri) as database:
            yield database
        return
    from sandbox.mongod import embedded

    with embedded(settings.prepare_home()) as uri, _database(uri) as database:
        yield database


@contextlib.contextmanager
def _database(uri: str) -> Iterator[Database[dict[str, Any]]]:
    secrets = _secrets(uri)
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            uri,
            appname="paris-colleges",
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            journal=True,
            # A secondary may lag: what an earlier run wrote would be written again.
            readPreference="primary",
            serverMonitoringMode="poll",
            serverSelectionTimeoutMS=_TIMEOUT_MS,
            connectTimeoutMS=10_000,
            # For one reply: building an index on a large collection takes longest.
            socketTimeoutMS=300_000,
        )
        database = client.get_default_database(DATABASE)
    except (PyMongoError, ValueError) as error:
        # The driver's own words may quote the part of the URI it choked on.
        if "mongodb+srv" in uri and re.search(r"DNS|resol|timed? ?out", str(error), re.IGNORECASE):
            raise StoreError(
                f"DNS knows no MongoDB under {uri.rpartition('@')[2].partition('/')[0]}, the host "
                "of MONGODB_URI: check its spelling and the network."
            ) from None
        raise StoreError(
            f"MONGODB_URI is not a usable connection string ({type(error).__name__}): it reads "
            "mongodb://USER:PASSWORD@HOST:PORT/DATABASE, and user and password must be "
            "percent-encoded."
        ) from None
    with contextlib.closing(client):
        with mongodb_errors("connect to MongoDB", secrets):
            database.command("ping")
        with mongodb_errors("use MongoDB", secrets):
            yield database


@contextlib.contextmanager
def mongodb_errors(doing: str, secrets: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn an error of pymongo into a `StoreError` that says what failed and what to do.

    Args:
        doing: what was tried, to follow "Could not".
        secrets: texts to blot out, beside whatever stands between `://` and `@`.
    """
    try:
        yield
    except PyMongoError as error:
        said = str(error)
        if isinstance(error, BulkWriteError) and error.details["writeErrors"]:
            said = error.details["writeErrors"][0]["errmsg"]
        # Without the driver's settings and its view of the topology.
        said = re.sub(r"(, full error:|, Timeout:| \(configured timeouts:).*", "", said, flags=re.S)
        name = f"{type(error).__name__} {getattr(error, 'code', '')} {said}"
        advice = next(advice for pattern, advice in _ADVICE if re.search(pattern, name))
        told = f"Could not {doing}. {advice} MongoDB says: {redact(said, secrets)[:600]}"
        # A chained traceback would print the driver's message as it is.
        raise StoreError(told) from (error if redact(str(error), secrets) == str(error) else None)


_ADVICE = (
    ("14031|No space left", "MongoDB's disk is full: free some space there, then run again."),
    (
        "^OperationFailure 18 ",
        "MongoDB refused the user or the password: check MONGODB_URI. Where the user was made in "
        "another database than the one after the slash, add `?authSource=admin`.",
    ),
    (
        "^OperationFailure 13 ",
        "MongoDB wants a user with more rights: MONGODB_URI must name one "
        "(mongodb://USER:PASSWORD@HOST) that has `readWrite` there.",
    ),
    ("^(NetworkTimeout|ExecutionTimeout)", "MongoDB took too long: check its load and its disk."),
    (
        "^ServerSelectionTimeout",
        "No MongoDB server answers: check that it runs, MONGODB_URI and the network.",
    ),
    (
        "^(AutoReconnect|ConnectionFailure|NotPrimary)",
        "The connection to MongoDB broke, or its primary changed: run again.",
    ),
    ("^Configuration", "Check MONGODB_URI."),
    ("", "Run again; if it persists, the server's log tells more."),
)
"""Found in the name, the code or the words of an error → what to do about it."""


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without the secrets, and without anything between `://` and `@`."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(r"://[^\s/]*@", "://***@", text)


def _secrets(uri: str) -> tuple[str, ...]:
    """The URI, and its password in every spelling it may show up in, longest first."""
    found = re.match(r"[^:]+://[^:]*:(.+)@", uri)
    if not found:
        return (uri,)
    password = unquote_plus(found[1])
    spellings = {found[1], password, quote(password, safe=""), quote_plus(password)}
    return (uri, *sorted(spellings, key=len, reverse=True))
