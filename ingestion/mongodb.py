"""The connection to MongoDB, and what its errors mean."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConfigurationError, PyMongoError

from ingestion.errors import StoreError, advice
from ingestion.settings import Settings

DATABASE = "paris_colleges"
SELECTION_TIMEOUT_MS = 15_000  # a replica set elects a primary in up to 12 s


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """Open the database of `MONGODB_URI` (`paris_colleges`, if it names none), or the home's own.

    Writes are acknowledged by a majority and journalled, whatever the URI says; dates are UTC.
    """
    with contextlib.ExitStack() as stack:
        uri = settings.mongodb_uri
        if uri is None:
            from sandbox.mongod import embedded

            uri = stack.enter_context(embedded(settings.prepare_home()))
        with mongodb_errors("connect to MongoDB"):
            client = _client(uri)
            stack.enter_context(contextlib.closing(client))
            database = client.get_default_database(DATABASE)
            database.command("ping")
        with mongodb_errors("use MongoDB"):
            yield database


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    try:
        return MongoClient(
            uri,
            appname="paris-colleges",
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            journal=True,
            readPreference="primary",  # what a secondary does not have yet would be written again
            serverMonitoringMode="poll",
            serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
            connectTimeoutMS=10_000,
            socketTimeoutMS=300_000,  # building an index on a large collection takes longest
        )
    except ValueError:  # of a port that is none
        raise ConfigurationError from None


@contextlib.contextmanager
def mongodb_errors(doing: str) -> Iterator[None]:
    """Turn an error of pymongo into a `StoreError`: "Could not" `doing`, and what to do."""
    try:
        yield
    except PyMongoError as error:
        said = str(error)
        if isinstance(error, BulkWriteError) and error.details["writeErrors"]:
            said = error.details["writeErrors"][0]["errmsg"]
        name = f"{type(error).__name__} {getattr(error, 'code', '')} {said}"
        is_dns = type(error.__cause__).__module__.startswith("dns.")  # of mongodb+srv
        if is_dns:
            name = f"DNS {said}"
        # Without the driver's settings and its view of the topology, and without credentials.
        said = re.sub(r"(, full error:|, Timeout:| \(configured timeouts:).*", "", said, flags=re.S)
        said = re.sub(r"://[^\s/]*@", "://***@", said)[:600]
        if isinstance(error, ConfigurationError) and not is_dns:
            said = type(error).__name__  # the driver quotes any part of the URI
        told = f"Could not {doing}. {advice('mongodb', name)} MongoDB says: {said}"
        raise StoreError(told) from None
