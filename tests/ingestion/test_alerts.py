"""Alerts: one message per failing run to a real webhook, and never a second failure."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from ingestion import alerts
from ingestion.cli import main
from ingestion.errors import SettingsError

SECRET = "/services/T0/B0/s3cr3t"


class Webhook:
    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.bodies.append(json.loads(body))
                self.send_response(webhook.status)
                if webhook.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        return {alerts.VARIABLE: f"http://127.0.0.1:{self.server.server_port}{SECRET}"}


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.server.shutdown()
    webhook.server.server_close()


def test_posts_what_failed_and_why_in_the_order_given(webhook: Webhook) -> None:
    assert alerts.post_failure(
        "colleges run", ["a: too few rows", "b: 404"], environ=webhook.environ
    )
    (body,) = webhook.bodies
    first, *causes = body["text"].splitlines()
    assert first.startswith("colleges run failed on ")
    assert causes == ["a: too few rows", "b: 404"]
    assert list(body) == ["text"]


def test_without_a_webhook_nothing_is_sent() -> None:
    assert not alerts.post_failure("colleges run", ["a"], environ={})


def test_a_long_message_is_cut_from_its_end(webhook: Webhook) -> None:
    alerts.post_failure("colleges run", ["the first cause", "x" * 10_000], environ=webhook.environ)
    text = webhook.bodies[0]["text"]
    assert len(text) <= alerts.MAX_CHARACTERS + 2
    assert "the first cause" in text
    assert text.endswith("…")


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_webhook_that_refuses_is_asked_once_and_only_logged(
    webhook: Webhook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = status
    with caplog.at_level(logging.DEBUG):
        assert not alerts.post_failure("colleges run", ["a"], environ=webhook.environ)
    assert len(webhook.bodies) == 1
    assert f"status {status}" in caplog.text


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "not an address", "ftp://127.0.0.1/x"])
def test_an_unreachable_webhook_is_only_logged_and_its_address_never(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {alerts.VARIABLE: address + SECRET}
    with caplog.at_level(logging.INFO):
        assert not alerts.post_failure("colleges run", ["a"], environ=environ)
    assert alerts.VARIABLE in caplog.text
    assert SECRET not in caplog.text


def test_an_error_is_posted_and_ends_the_command(webhook: Webhook) -> None:
    environ = webhook.environ | {"COLLEGES_TARGET": "oracle"}
    done = CliRunner().invoke(main, ["run"], env=environ)
    assert done.exit_code == SettingsError.exit_code
    (body,) = webhook.bodies
    assert "SettingsError: COLLEGES_TARGET must be duckdb or snowflake" in body["text"]


def test_as_a_program_it_posts_the_lines_it_reads(webhook: Webhook) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingestion.alerts", "Airflow run 1"],
        input="a: cause\nDo this.\n", env=webhook.environ,
        text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert webhook.bodies[0]["text"].splitlines()[1:] == ["a: cause", "Do this."]
