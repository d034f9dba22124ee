"""Canaries: a secret that a run is given shows nowhere, whether it goes well or fails."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bson
import duckdb
import pytest
from pymongo import MongoClient

from ingestion.settings import PROJECT_DIR
from sandbox.mongod import find_mongod
from tests.faults.conftest import COLLEGES, Jobs, Store

API_KEY = "canary-of-the-api-key-3b1f"
WRONG_KEY = "canary-of-a-wrong-key-77aa"
PASSWORD = "canary/of:the@password"  # needs percent-encoding, so it has several spellings
SPELLINGS = (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD))
DRIFTING = "fr-en-ips-colleges-ap2023"
"""Lacks fields of the registry in the sample."""
TWO = [COLLEGES, DRIFTING]
SPITEFUL = """
import functools, json, os
import sandbox.portal
from ingestion.cli import main
from tests.faulty_portal import FaultyHandler, FaultyPortal

def repeat(handler):
    told = {"error_code": "Refused", "message": f"not with {handler.headers['Authorization']}"}
    handler.answer(400, json.dumps(told).encode(), "application/json")

FaultyHandler.answer_unauthorized = repeat
sandbox.portal.ReplayPortal = functools.partial(FaultyPortal, api_key=os.environ["WANTED_KEY"])
main()
"""
"""The command, and a portal that asks for a key and repeats a wrong one in its refusal; of a 401
nothing is repeated."""


def everything_in_the_warehouse(store: Store) -> str:
    """All rows of all tables as text: in the file a column may be compressed."""
    with duckdb.connect(str(store.home / "warehouse.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
        assert ("raw", "_source_load") in tables
        return "\n".join(
            repr(connection.execute(f"select * from {schema}.{table}").fetchall())
            for schema, table in tables
        )


def everything_left(store: Store) -> bytes:
    """All files of the home, all rows of the warehouse and all documents of the database."""
    parts = [path.read_bytes() for path in store.home.rglob("*") if path.is_file()]
    if (store.home / "warehouse.duckdb").exists():
        parts.append(everything_in_the_warehouse(store).encode())
    with MongoClient[dict[str, Any]](store.uri) as client:
        database = client[store.database]
        for name in database.list_collection_names():
            parts += [bson.encode(document) for document in database[name].find()]
    return b"".join(parts)


@pytest.mark.parametrize("is_command", [True, False])
def test_api_keys_show_nowhere(
    is_command: bool, jobs: Jobs, make_store: Callable[[], Store], states: list[Path]
) -> None:
    """A wrong key, then the right one; as a person runs it, in full voice, and without."""
    store = make_store()
    for key, status in ((WRONG_KEY, "failed"), (API_KEY, "finished")):
        if is_command:
            told = told_by_command(store, states[0], key, 1 if status == "failed" else 0)
        else:
            keys = {"opendata_paris": key, "education_nationale": key}
            job = {"datasets": TWO, "portal": states[0], "portal_key": API_KEY}
            answer = jobs.run(store, "run", api_keys=keys, **job)
            assert answer["results"][COLLEGES]["status"] == status, answer["log"]
            told = repr(answer).encode()
        told += everything_left(store)
        assert API_KEY.encode() not in told
        assert WRONG_KEY.encode() not in told
    # What could have had them: the error of the first run, and the drift the second one found.
    errors, drifts = zip(*store.ask("select error, drift from raw._source_load"), strict=True)
    assert ("says 400: Refused, not with" if is_command else "says 401: ") in repr(errors)
    assert "gone" in repr(drifts)


def told_by_command(store: Store, state: Path, key: str, code: int) -> bytes:
    datasets = [word for dataset_id in TWO for word in ("--dataset", dataset_id)]
    keys = dict.fromkeys(("OPENDATA_PARIS_API_KEY", "EDUCATION_NATIONALE_API_KEY"), key)
    homes = {"COLLEGES_HOME": str(store.home), "MONGODB_URI": store.uri}
    command = ["-v", "run", "--no-build", "--portal", str(state), *datasets]
    done = subprocess.run(
        [sys.executable, "-c", SPITEFUL, *command],
        cwd=PROJECT_DIR, capture_output=True, timeout=120, check=False,
        env=os.environ | homes | keys | {"WANTED_KEY": API_KEY, "COLLEGES_TARGET": "duckdb"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def locked_server(short: Path) -> Iterator[str]:
    """The URI of a server that lets in nobody but `canary`, with PASSWORD, for its database."""
    data, path = short / "data", short / "mongod.sock"
    data.mkdir()
    command = [find_mongod(), "--auth", "--dbpath", data, "--bind_ip", path, "--nounixsocket"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        host = quote(str(path), safe="")
        # Whoever comes first over a socket of this machine may make the first user.
        with MongoClient[dict[str, Any]](f"mongodb://{host}/?directConnection=true") as client:
            client["admin"].command(
                "createUser", "canary", pwd=PASSWORD, roles=[{"role": "root", "db": "admin"}]
            )
        encoded = quote(PASSWORD, safe="")
        yield f"mongodb://canary:{encoded}@{host}/?directConnection=true&authSource=admin"
    finally:
        process.terminate()
        process.wait(30)


def test_the_password_of_mongodb_shows_nowhere(
    locked_server: str, states: list[Path], tmp_path: Path
) -> None:
    """On the command line, in full voice: wrong password, then the right one."""
    store = Store(tmp_path / "home", locked_server, "canary")
    store.home.mkdir()
    encoded = quote(PASSWORD, safe="")
    command = ["-v", "run", "--no-build", "--portal", str(states[0]), "--dataset", COLLEGES]
    for given, code in ((store.uri.replace(encoded, encoded + "-wrong"), 1), (store.uri, 0)):
        done = subprocess.run(
            [sys.executable, "-m", "ingestion.cli", *command],
            cwd=PROJECT_DIR, capture_output=True, timeout=120, check=False,
            env=os.environ | {"COLLEGES_HOME": str(store.home), "MONGODB_URI": given},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        told = done.stdout + done.stderr + everything_left(store)
        for spelling in SPELLINGS:
            assert spelling.encode() not in told


def test_nothing_in_a_home_lets_others_in(jobs: Jobs, tmp_path: Path, states: list[Path]) -> None:
    """The embedded server listens on a socket in a directory that is its owner's alone."""
    store = Store(tmp_path / "home", "", "paris_colleges")
    jobs.succeed(store, "extract", datasets=TWO, portal=states[0], mongodb_uri=None)
    assert stat.S_IMODE((store.home / "mongodb").stat().st_mode) == 0o700
