"""Canaries: a secret that a run is given shows nowhere, whether it goes well or fails."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bson
from pymongo import MongoClient

from ingestion.settings import PROJECT_DIR
from tests.faults.conftest import COLLEGES, FEW, Jobs, Store

API_KEY = "canary-of-the-api-key-3b1f"
WRONG_KEY = "canary-of-a-wrong-key-77aa"
PASSWORD = "canary/of:the@password"  # needs percent-encoding, so it has several spellings
SPELLINGS = (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD))


def everything_left(store: Store) -> bytes:
    """All files of the home and all documents of the database."""
    parts = [path.read_bytes() for path in store.home.rglob("*") if path.is_file()]
    with MongoClient[dict[str, Any]](store.uri) as client:
        database = client[store.database]
        for name in database.list_collection_names():
            parts += [bson.encode(document) for document in database[name].find()]
    return b"".join(parts)


def test_api_keys_show_nowhere(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path]
) -> None:
    store = make_store()
    job = {"datasets": FEW, "portal": states[0], "portal_key": API_KEY}
    for key, status in ((WRONG_KEY, "failed"), (API_KEY, "finished")):
        keys = {"opendata_paris": key, "education_nationale": key}
        answer = jobs.run(store, "run", api_keys=keys, **job)
        assert answer["results"][COLLEGES]["status"] == status, answer["log"]
        told = repr(answer).encode() + everything_left(store)
        assert API_KEY.encode() not in told
        assert WRONG_KEY.encode() not in told


def test_the_password_of_mongodb_shows_nowhere(
    make_store: Callable[[], Store], states: list[Path]
) -> None:
    """On the command line, in full voice: wrong password, then the right one."""
    store = make_store()
    encoded = quote(PASSWORD, safe="")
    with MongoClient[dict[str, Any]](store.uri) as client:
        client[store.database].command(
            "createUser", "canary", pwd=PASSWORD, roles=["readWrite", "dbAdmin"]
        )
    base = re.sub(r"//.*?@", f"//canary:{encoded}@", store.uri)
    uri = base.replace("authSource=admin", f"authSource={store.database}")
    command = ["-v", "run", "--no-build", "--portal", str(states[0]), "--dataset", COLLEGES]
    wrong = uri.replace(encoded, encoded + "-wrong")
    try:
        for given, code in ((wrong, 1), (uri, 0)):
            done = subprocess.run(
                [sys.executable, "-m", "ingestion.cli", *command],
                cwd=PROJECT_DIR, capture_output=True, timeout=120, check=False,
                env=os.environ | {"COLLEGES_HOME": str(store.home), "MONGODB_URI": given},
            )  # fmt: skip
            assert done.returncode == code, done.stderr
            told = done.stdout + done.stderr + everything_left(store)
            for spelling in SPELLINGS:
                assert spelling.encode() not in told
    finally:
        with MongoClient[dict[str, Any]](store.uri) as client:
            client[store.database].command("dropUser", "canary")


def test_nothing_in_a_home_lets_others_in(jobs: Jobs, tmp_path: Path, states: list[Path]) -> None:
    """The embedded server's directory is its owner's alone, and its password file too."""
    store = Store(tmp_path / "home", "", "paris_colleges")
    jobs.succeed(store, "extract", datasets=FEW, portal=states[0], mongodb_uri=None)
    directory = store.home / "mongodb"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "password").stat().st_mode) == 0o600
    password = (directory / "password").read_bytes().strip()
    elsewhere = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path != directory / "password" and password in path.read_bytes()
    ]
    assert elsewhere == []
