"""Fixtures of the Airflow tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from installation import AIRFLOW, PROJECT_DIR, VENV, Airflow

COPIED = (
    *("dbt_project.yml", "models", "macros", "seeds", "snapshots", "tests/data"),
    *("profiles.example.yml", "selectors.yml", "ingestion/datasets.yml", "orchestration"),
)


@pytest.fixture(scope="session", autouse=True)
def _airflow_is_installed() -> None:
    if not (AIRFLOW / "airflow").exists():
        pytest.fail(f"no Airflow at {AIRFLOW}: run `make test-airflow`, which installs it")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """A migrated database and a parsed project, to copy: both take long."""
    base = tmp_path_factory.mktemp("airflow")
    airflow = Airflow(base / "home", base / "project")
    for name in COPIED:
        source, target = PROJECT_DIR / name, airflow.project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    shutil.copy2(airflow.project / "profiles.example.yml", airflow.project / "profiles.yml")
    # Goals of the real Makefile are tested where they live.
    (airflow.project / "Makefile").write_text("docs dashboard:\n\ttouch made-$@\n", "utf-8")
    airflow.colleges_home.mkdir(parents=True)
    airflow.parse()
    migrated = airflow.call(AIRFLOW / "airflow", "db", "migrate", timeout=300)
    assert migrated.returncode == 0, migrated.stderr
    return airflow


@pytest.fixture(scope="module")
def new_airflow(
    _template: Airflow, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Airflow]:
    """Makes Airflows that share nothing."""

    def make() -> Airflow:
        base = tmp_path_factory.mktemp("airflow")
        # The configuration names the template's own database.
        shutil.copytree(_template.home, base / "home", ignore=shutil.ignore_patterns("*.cfg"))
        shutil.copytree(_template.project, base / "project")
        return Airflow(base / "home", base / "project")

    return make


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The oldest state of the synthetic sample."""
    out = tmp_path_factory.mktemp("sample")
    subprocess.run(
        [VENV / "bin/colleges", "sample", "--out", out], check=True, timeout=120, cwd=PROJECT_DIR
    )
    return sorted(out.iterdir())[0]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    """A webhook's address, and the texts it was sent."""
    texts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            texts.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", texts
    server.shutdown()
    server.server_close()
