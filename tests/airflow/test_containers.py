"""What the images and compose.yaml run at start, as far as it can be run without containers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from installation import PROJECT_DIR

COMPOSE = yaml.safe_load((PROJECT_DIR / "compose.yaml").read_text("utf-8"))
PLACEHOLDERS = ["", "change-me", "change-me-please"]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def _run(command: list[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env={"PATH": environment.pop("PATH", os.environ["PATH"]), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_password_is_refused_by_every_container(
    secret: Path, placeholder: str, tmp_path: Path
) -> None:
    secret.write_text(placeholder, "utf-8")
    refusals = [
        _run([PROJECT_DIR / "deploy/entrypoint", "true"], MONGO_PASSWORD_FILE=str(secret)),
        _run([PROJECT_DIR / "deploy/mongo-start"], MONGO_INITDB_ROOT_PASSWORD_FILE=str(secret)),
        _run(
            [PROJECT_DIR / "orchestration/start", "--prepare"],
            AIRFLOW_ADMIN_PASSWORD_FILE=str(secret),
            AIRFLOW_HOME=str(tmp_path / "airflow"),
            COLLEGES_HOME=str(tmp_path),
        ),
    ]
    for refused in refusals:
        assert refused.returncode == 2
        assert "PASSWORD is empty or still the placeholder" in refused.stderr


def test_the_example_holds_placeholders_and_every_variable_of_compose() -> None:
    lines = (PROJECT_DIR / ".env.example").read_text("utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    compose = (PROJECT_DIR / "compose.yaml").read_text("utf-8")
    read = set(re.findall(r"\$\{([A-Z_]+)", compose))
    read |= {entry["environment"] for entry in COMPOSE["secrets"].values()}
    assert set(example) == read
    for name in example:
        assert ("change-me" in example[name]) == name.endswith("PASSWORD")


def test_any_password_survives_the_way_into_the_uri(secret: Path) -> None:
    password = "a/b:c@d?e#f%g h+é"
    secret.write_text(password + "\n", "utf-8")
    started = _run(
        [PROJECT_DIR / "deploy/entrypoint", "printenv", "MONGODB_URI"],
        MONGO_PASSWORD_FILE=str(secret),
        PATH=f"{PROJECT_DIR / '.venv/bin'}:{os.environ['PATH']}",
    )
    uri = urlsplit(started.stdout.strip())
    assert unquote(uri.password or "") == password
    assert (uri.hostname, uri.path) == ("mongo", "/paris_colleges")


def test_mongo_starts_with_a_key_file_only_it_can_read(secret: Path, tmp_path: Path) -> None:
    secret.write_text("s3cret", "utf-8")
    stub = tmp_path / "bin/docker-entrypoint.sh"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\necho "$@"; stat -c %a /tmp/keyfile; cat /tmp/keyfile\n', "utf-8")
    stub.chmod(0o755)
    try:
        started = _run(
            [PROJECT_DIR / "deploy/mongo-start"],
            MONGO_INITDB_ROOT_PASSWORD_FILE=str(secret),
            PATH=f"{stub.parent}:{os.environ['PATH']}",
        )
    finally:
        Path("/tmp/keyfile").unlink(missing_ok=True)
    command, mode, key = started.stdout.splitlines()
    assert command.startswith("mongod --replSet rs0 --keyFile /tmp/keyfile")
    assert mode == "600"
    assert re.fullmatch(r"[0-9a-f]{128}", key)  # MongoDB takes 6 to 1024 base64 characters
    assert "s3cret" not in started.stdout


def test_nothing_is_reached_from_outside_this_machine_and_nothing_runs_as_root() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["cap_drop"] == ["ALL"]
        assert not any("password" in str(v).lower() and "/run/secrets" not in str(v)
                       for v in service["environment"].values())  # fmt: skip
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert COMPOSE["services"]["mongo"]["user"] == "mongodb"
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text("utf-8")
    last = dockerfile[dockerfile.index("AS app\n") :]
    assert re.search(r"^USER 10001$", last, re.MULTILINE)


def test_images_are_pinned_and_the_mongo_in_use_can_be_named_in_one_place() -> None:
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text("utf-8")
    bases = re.findall(r"^FROM (\S+:\S+) AS", dockerfile, re.MULTILINE)
    assert bases
    assert all(re.search(r":\d+\.\d+\.\d+-\w+-\w+@sha256:[0-9a-f]{64}$", base) for base in bases)
    assert re.fullmatch(r"mongo:8\.0\.\d+", COMPOSE["services"]["mongo"]["image"])
