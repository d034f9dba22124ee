"""The fake account as a fixture, and the environment that makes it the target."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ingestion.settings import PROJECT_DIR

ACCOUNT = "TESTORG-FAKE"
USER = "COLLEGES_PIPELINE"
WITHOUT_TESTS = {"DBT_RESOURCE_TYPES": "model snapshot seed"}
"""Makes `colleges run` build tables alone, in the builds of test_pipeline.py but for the last."""


@dataclass(frozen=True)
class Fake:
    """The fake account, and one database on it."""

    port: int
    key_path: Path
    database: str = "COLLEGES"

    def with_database(self) -> Fake:
        """The same account with a database nobody used."""
        return replace(self, database=f"COLLEGES_{uuid.uuid4().hex[:8].upper()}")

    @property
    def environ(self) -> dict[str, str]:
        """What makes it the target."""
        return {
            "COLLEGES_TARGET": "snowflake",
            "SNOWFLAKE_ACCOUNT": ACCOUNT,
            "SNOWFLAKE_USER": USER,
            "SNOWFLAKE_PRIVATE_KEY_PATH": str(self.key_path),
            "SNOWFLAKE_ROLE": "COLLEGES_TRANSFORMER",
            "SNOWFLAKE_LOADER_ROLE": "COLLEGES_LOADER",
            "SNOWFLAKE_WAREHOUSE": "COLLEGES",
            "SNOWFLAKE_DATABASE": self.database,
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(self.port),
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def control(self, **order: Any) -> dict[str, Any]:
        """Tell the server what to refuse, which shims to leave out, or to empty its log."""
        answer = requests.post(f"http://127.0.0.1:{self.port}/-/control", json=order, timeout=30)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def told(self, what: str) -> Any:
        """What the server says of itself."""
        answer = requests.get(f"http://127.0.0.1:{self.port}/-/control", timeout=30)
        answer.raise_for_status()
        return answer.json()[what]

    @property
    def log(self) -> list[dict[str, Any]]:
        """Sign-ins, statements and uploads since it was emptied."""
        entries: list[dict[str, Any]] = self.told("log")
        return entries

    @property
    def statements(self) -> list[str]:
        return [entry["sql"] for entry in self.log if "sql" in entry]

    @property
    def secrets(self) -> list[str]:
        """What must stand in no log: the lines of the private key, the tokens of sessions."""
        tokens: list[str] = self.told("tokens")
        return [*self.key_path.read_text().splitlines()[1:-1], *tokens]

    def connect(self, network_timeout: int = 20, schema: str = "PUBLIC") -> Any:
        """A connection of the real connector."""
        return snowflake.connector.connect(
            account=ACCOUNT,
            user=USER,
            private_key_file=str(self.key_path),
            database=self.database,
            schema=schema,
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            login_timeout=20,
            network_timeout=network_timeout,
            platform_detection_timeout_seconds=0,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with closing(self.connect()) as connection, closing(connection.cursor()) as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(sql).fetchall()
            return rows


def write_key(path: Path) -> rsa.RSAPrivateKey:
    """A new private key at ``path`` and its public half beside it, ``.pub``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return key


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    """One fake account for the session (for each worker under xdist)."""
    directory = tmp_path_factory.mktemp("fakesnow")
    key_path = directory / "key.p8"
    write_key(key_path)
    with (directory / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.snowflake.fakesnow_server"),
                *(ACCOUNT, f"{USER}={key_path.with_suffix('.pub')}"),
            ],
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            stderr=log,
            # Should DuckDB bring it down, its log says where.
            env=os.environ | {"TMPDIR": str(directory), "PYTHONFAULTHANDLER": "1"},
        )
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            assert port, (directory / "server.log").read_text()[-2000:]
            yield Fake(int(port), key_path)
            assert server.poll() is None, (
                f"The fake account ended by itself with {server.returncode}: "
                + (directory / "server.log").read_text()[-2000:]
            )
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture
def fake(account: Fake) -> Iterator[Fake]:
    """The account with a database of one's own, nothing refused, every shim on, an empty log."""
    account.control(refuse=[], without=[], empty_log=True)
    yield account.with_database()
    account.control(refuse=[], without=[], empty_log=True)
