"""What differs between portals and registry, and the one issue that says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from review.github import AUTHOR
from review.portal_drift import LABEL, TITLE, findings, main
from sandbox.sample import write_sample
from tests.review.fake_github import JsonHandler, serving

REPOSITORY = "city/colleges"
COLLEGES = "etablissements-scolaires-colleges"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The sample's latest state, which a test may spoil."""
    return write_sample(tmp_path)[-1]


def edit_metadata(state: Path, dataset: str, edit: Callable[[dict[str, Any]], None]) -> None:
    (path,) = state.glob(f"*/{dataset}/dataset.json")
    metadata = json.loads(path.read_text("utf-8"))
    edit(metadata)
    path.write_text(json.dumps(metadata), "utf-8")


def test_every_kind_of_difference_is_named(state: Path) -> None:
    before = set(findings(state))

    def spoil(metadata: dict[str, Any]) -> None:
        fields = {field["name"]: field for field in metadata["fields"]}
        fields["libelle"]["name"] = "name"
        fields["adresse"]["type"] = "int"

    edit_metadata(state, COLLEGES, spoil)
    (few,) = state.glob("*/arrondissements/records.jsonl")
    few.write_text(few.read_text("utf-8").splitlines(keepends=True)[0], "utf-8")
    edit_metadata(state, "arrondissements", lambda m: m["metas"]["default"].update(records_count=1))
    (gone,) = state.glob("*/fr-en-ips-colleges-ap2023")
    gone.rename(state / "elsewhere")

    new = "\n".join(sorted(set(findings(state)) - before))
    assert f"- `{COLLEGES}`: field `adresse` is `int`; expected `text`" in new
    assert f"- `{COLLEGES}`: field `libelle` is gone; expected `text`" in new
    assert f"- `{COLLEGES}`: field `name` is new: `text`" in new
    assert f"- `{COLLEGES}`: the key is gone: `libelle`" in new
    assert "- `arrondissements`: 1 records, under the volume floor of " in new
    assert "- `fr-en-ips-colleges-ap2023`: not readable: " in new
    assert len(new.splitlines()) == 6


class FakeGitHub(ThreadingHTTPServer):
    """Issues in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issues: list[dict[str, Any]] = []


class Handler(JsonHandler, BaseHTTPRequestHandler):  # named for ruff, which knows its do_GET
    server: FakeGitHub

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        assert (asked["labels"], asked["creator"]) == ([LABEL], [AUTHOR])
        self.answer([issue for issue in self.server.issues if issue["state"] == "open"])

    def do_POST(self) -> None:
        number = len(self.server.issues) + 1
        issue = {**self.sent(), "number": number, "state": "open", "html_url": f"issue {number}"}
        self.server.issues.append(issue)
        self.answer(issue)

    def do_PATCH(self) -> None:
        issue = self.server.issues[int(self.path.rsplit("/", 1)[1]) - 1]
        issue.update(self.sent())
        self.answer(issue)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    server = FakeGitHub()
    with serving(server):
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GH_TOKEN", "token-of-the-job")
        yield server


def test_one_issue_opened_edited_and_closed(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(found: list[str]) -> str:
        monkeypatch.setattr("review.portal_drift.findings", lambda _: found)
        done = CliRunner().invoke(main, ["--issue"])
        assert done.exit_code == 0, done.output
        return done.output

    assert "No issue is open." in run([])
    assert github.issues == []
    assert "issue 1" in run(["- one"])
    run(["- two"])
    (issue,) = github.issues
    assert (issue["title"], issue["labels"], issue["state"]) == (TITLE, [LABEL], "open")
    assert "- two" in issue["body"]
    assert "- one" not in issue["body"]
    run([])
    assert issue["state"] == "closed"


def test_without_an_issue_the_exit_code_says_it(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = CliRunner().invoke(main, ["--portal", str(state)])
    assert gone.exit_code == int(bool(findings(state)))
    monkeypatch.setattr("review.portal_drift.findings", lambda _: [])
    assert CliRunner().invoke(main, []).exit_code == 0
