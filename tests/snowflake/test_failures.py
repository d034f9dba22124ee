"""What a person with a wrong setting, a wrong key, no network or no grant gets to read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingestion.errors import WarehouseError
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse
from tests.snowflake.conftest import Fake, write_key

pytestmark = pytest.mark.timeout(180)

A_MINUTE_S = 60
CANARY = "c4nary-in-the-key"


def _colleges(home: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of a command."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ingestion.cli", *arguments],
        cwd=PROJECT_DIR,
        env=os.environ | environ | {"COLLEGES_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SNOWFLAKE_ACCOUNT", ""),
        ("SNOWFLAKE_USER", "<user>"),
        ("SNOWFLAKE_PRIVATE_KEY_PATH", "your_key"),
        ("SNOWFLAKE_DATABASE", "unset"),
    ],
)
def test_a_missing_or_placeholder_value_stops_before_anything_is_opened(
    name: str, value: str, fake: Fake, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    code, output, _ = _colleges(home, fake.environ | {name: value}, "run")
    assert code == 2
    assert name in output
    assert not home.exists()
    assert fake.log == []


def _refusal(environ: dict[str, str]) -> str:
    """The message of a connection that must fail, within a minute."""
    warehouse = open_warehouse(Settings(home=Path("/nonexistent"), target="snowflake"), environ)
    started = time.monotonic()
    with pytest.raises(WarehouseError) as caught, warehouse.connect():
        pass
    assert time.monotonic() - started < A_MINUTE_S
    return str(caught.value)


def test_wrong_account(fake: Fake) -> None:
    assert "has no account OTHER-ACCOUNT" in _refusal(
        fake.environ | {"SNOWFLAKE_ACCOUNT": "OTHER-ACCOUNT"}
    )


def test_wrong_user(fake: Fake) -> None:
    assert "did not accept the key pair of SOMEBODY" in _refusal(
        fake.environ | {"SNOWFLAKE_USER": "SOMEBODY"}
    )


def test_wrong_key(fake: Fake, tmp_path: Path) -> None:
    write_key(tmp_path / "other.p8")
    message = _refusal(fake.environ | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(tmp_path / "other.p8")})
    assert "did not accept the key pair of COLLEGES_LOADER" in message
    assert "not the one registered" in message


def test_a_file_that_is_no_key_is_not_quoted(fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    path.touch(mode=0o600)
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
    message = _refusal(fake.environ | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(path)})
    assert "no private key" in message
    assert CANARY not in message


def test_nobody_listens(fake: Fake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "did not answer" in _refusal(fake.environ | {"SNOWFLAKE_PORT": str(port)})


def test_nobody_answers(fake: Fake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "did not answer" in _refusal(fake.environ | {"SNOWFLAKE_PORT": str(port)})


def test_the_command_line_ends_in_a_minute_and_keeps_secrets(fake: Fake, tmp_path: Path) -> None:
    """A whole run against a port where nobody listens: what was pulled stays in MongoDB."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, output, seconds = _colleges(
        tmp_path / "h", fake.environ | {"SNOWFLAKE_PORT": str(port)}, "load"
    )
    assert code == 1
    assert output.count("did not answer") == 1
    assert "Traceback" not in output
    assert seconds < A_MINUTE_S
    assert not any(line in output for line in fake.key_path.read_text().splitlines()[1:-1])


def test_dbt_alone_names_a_missing_variable(fake: Fake, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if "SNOWFLAKE" not in name}
    environ |= fake.environ
    del environ["SNOWFLAKE_ROLE"]
    (tmp_path / "profiles.yml").write_bytes((PROJECT_DIR / "profiles.example.yml").read_bytes())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "debug", "--project-dir", str(PROJECT_DIR)),
            *("--profiles-dir", str(tmp_path), "--log-path", str(tmp_path / "logs")),
        ],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode
    assert "SNOWFLAKE_ROLE" in done.stdout
    assert fake.log == []
