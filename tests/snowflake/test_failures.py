"""What a person with a wrong setting, a wrong key, no network or no grant gets to read."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.errors import WarehouseError
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse
from tests.programs import programs
from tests.snowflake.conftest import Fake, write_key

pytestmark = pytest.mark.timeout(180)

A_MINUTE_S = 60
CANARY = "c4nary-in-the-key"


def _colleges(home: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of a command."""
    started = time.monotonic()
    environ = os.environ | environ | {"COLLEGES_HOME": str(home)}
    done = programs.run(["-m", "ingestion.cli", *arguments], environ, timeout_s=120)
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


def test_wrong_user(fake: Fake) -> None:
    assert "did not accept the key pair of SOMEBODY" in _refusal(
        fake.environ | {"SNOWFLAKE_USER": "SOMEBODY"}
    )


def test_a_file_that_is_no_key_is_not_quoted(fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    path.touch(mode=0o600)
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
    message = _refusal(fake.environ | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(path)})
    assert "no private key" in message
    assert CANARY not in message


def test_nobody_answers(fake: Fake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "did not answer" in _refusal(fake.environ | {"SNOWFLAKE_PORT": str(port)})


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Twenty records in MongoDB, to be loaded."""
    # Short, for mongod's socket.
    home = Path(tempfile.mkdtemp(prefix="colleges-sf-", dir="/tmp"))
    try:
        code, output, _ = _colleges(home, {}, "sample", "--out", str(home / "sample"))
        assert code == 0, output
        code, output, _ = _colleges(
            home,
            {"COLLEGES_TARGET": "duckdb"},
            *("extract", "--dataset", "arrondissements", "--portal", output.splitlines()[0]),
        )
        assert code == 0, output
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wrong_account(fake: Fake, _: Path) -> dict[str, str]:
    return {"SNOWFLAKE_ACCOUNT": "OTHER-ACCOUNT"}


def _wrong_key(fake: Fake, directory: Path) -> dict[str, str]:
    write_key(directory / "other.p8")
    return {"SNOWFLAKE_PRIVATE_KEY_PATH": str(directory / "other.p8")}


def _nobody_listens(fake: Fake, _: Path) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return {"SNOWFLAKE_PORT": str(server.getsockname()[1])}


def _missing_grant(fake: Fake, _: Path) -> dict[str, str]:
    says = f"Insufficient privileges to operate on schema '{fake.database}.RAW'."
    fake.control(refuse=[{"pattern": "^copy into", "says": says}])
    return {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (_wrong_account, "has no account OTHER-ACCOUNT"),
        (_wrong_key, "other.p8 is not the one registered for that user"),
        (_nobody_listens, "did not answer"),
        (_missing_grant, "refused this to role COLLEGES_LOADER: .*Insufficient privileges"),
    ],
)
def test_a_load_that_cannot_says_why_and_the_next_completes(
    wrong: Callable[[Fake, Path], dict[str, str]],
    message: str,
    fake: Fake,
    home: Path,
    tmp_path: Path,
) -> None:
    """Within a minute, not 0, no trace, nothing half-loaded; then with nothing wrong."""
    environ = fake.environ | wrong(fake, tmp_path)
    code, output, seconds = _colleges(home, environ, "load", "--dataset", "arrondissements")
    assert code == 1
    assert len(re.findall(message, output)) == 1, output
    assert "Traceback" not in output
    assert seconds < A_MINUTE_S
    assert not any(secret in output for secret in fake.secrets)
    held = fake.query(
        "select table_name from information_schema.tables where lower(table_schema) = 'raw'"
        " and lower(table_name) not like '%dlt%'"
    )
    for (table,) in held:
        assert fake.query(f"select count(*) from raw.{table}") == [(0,)], table

    fake.control(refuse=[])
    code, output, _ = _colleges(home, fake.environ, "load", "--dataset", "arrondissements")
    assert code == 0, output
    assert fake.query("select count(*) from raw.opendata_paris__arrondissements") == [(20,)]
    assert fake.query("select count(*) from raw._source_load") == [(1,)]


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


def test_every_setting_is_in_the_examples() -> None:
    """What is read, but for the address of a fake account, can be set for the containers, too."""
    read = {
        name
        for source in ("profiles.example.yml", "ingestion/warehouse.py", "docs/snowflake.md")
        for name in re.findall(r"\bSNOWFLAKE_[A-Z_]*[A-Z]\b", (PROJECT_DIR / source).read_text())
    } - {"SNOWFLAKE_HOST", "SNOWFLAKE_PORT", "SNOWFLAKE_PROTOCOL", "SNOWFLAKE_CHECK_DATABASE"}
    assert {"SNOWFLAKE_ACCOUNT", "SNOWFLAKE_WAREHOUSE", "SNOWFLAKE_LOADER_ROLE"} <= read
    for example in (".env.example", "compose.yaml", ".github/workflows/snowflake.yml"):
        text = (PROJECT_DIR / example).read_text()
        assert {name for name in read if f"{name}=" in text or f"{name}:" in text} == read, example
