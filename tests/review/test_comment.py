"""The comment on the pull request, against a server that answers as GitHub does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.settings import PROJECT_DIR
from review.comment import LIMIT, MARKER, harmless
from tests.review.fake_github import JsonHandler, serving

REPOSITORY = "city/colleges"
RUN_URL = "https://github.com/city/colleges/actions/runs/77"
SHA = "a" * 40


class FakeGitHub(ThreadingHTTPServer):
    """Pull requests and comments in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pulls = [pull(7, SHA)]
        self.files = ["models/marts/dim_college.sql"]
        self.comments: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.queries: list[dict[str, list[str]]] = []


class Handler(JsonHandler, BaseHTTPRequestHandler):  # named for ruff, which knows its do_GET
    server: FakeGitHub

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.server.calls.append((self.command, url.path))
        self.server.queries.append(query)
        sent = self.sent()
        assert self.headers["Authorization"] == "Bearer token-of-the-job"
        prefix = f"/repos/{REPOSITORY}"
        answer: Any
        if self.command == "GET" and url.path == f"{prefix}/pulls":
            answer = self.server.pulls
        elif self.command == "GET" and url.path == f"{prefix}/pulls/7/files":
            answer = [{"filename": name} for name in self.server.files]
        elif self.command == "GET" and url.path == f"{prefix}/issues/7/comments":
            page = int(query["page"][0])
            answer = self.server.comments[(page - 1) * 100 : page * 100]
        elif self.command == "POST" and url.path == f"{prefix}/issues/7/comments":
            answer = comment(len(self.server.comments) + 1, sent["body"])
            self.server.comments.append(answer)
        elif self.command == "PATCH":
            number = int(url.path.rsplit("/", 1)[1])
            answer = next(c for c in self.server.comments if c["id"] == number)
            answer["body"] = sent["body"]
        else:
            self.send_error(404)
            return
        self.answer(answer)


def pull(number: int, sha: str) -> dict[str, Any]:
    return {
        "number": number,
        "head": {"sha": sha, "repo": {"full_name": "someone/colleges"}},
        "base": {"repo": {"full_name": REPOSITORY}},
    }


def comment(number: int, body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    url = f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{number}"
    return {"id": number, "body": body, "user": {"login": login}, "html_url": url}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    server = FakeGitHub()
    with serving(server):
        yield server


def post(
    github: FakeGitHub, report: Path, action: str = "completed", **run: Any
) -> subprocess.CompletedProcess[str]:
    """As the workflow does: a process of its own, everything it knows from the environment."""
    event = {
        "action": action,
        "workflow_run": {
            "head_sha": SHA,
            "head_branch": "a-branch",
            "head_repository": {"full_name": "someone/colleges", "owner": {"login": "someone"}},
            "html_url": RUN_URL,
            "conclusion": "failure",
            **run,
        },
    }
    event_file = report.parent / "event.json"
    event_file.write_text(json.dumps(event), encoding="utf-8")
    return subprocess.run(
        # -S: nothing but the standard library, as in the job
        [sys.executable, "-S", "-m", "review.comment", str(report)],
        cwd=PROJECT_DIR,
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_EVENT_PATH": str(event_file),
            "GITHUB_API_URL": f"http://127.0.0.1:{github.server_port}",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GH_TOKEN": "token-of-the-job",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path, text: str) -> Path:
    report = folder / "report.md"
    report.write_text(text, encoding="utf-8")
    return report


def test_one_comment_edited_in_place(github: FakeGitHub, tmp_path: Path) -> None:
    github.comments = [comment(n + 1, "hello", "a-person") for n in range(120)]
    # Somebody's own comment with our marker is not ours.
    github.comments[3]["body"] = f"{MARKER}\nmine"
    first = post(github, write(tmp_path, "## One"))
    assert first.returncode == 0, first.stderr
    second = post(github, write(tmp_path, "## Two, with `$5` and $\\alpha$"))
    assert second.returncode == 0, second.stderr
    ours = [c for c in github.comments if c["user"]["login"] == "github-actions[bot]"]
    assert [c["body"] for c in ours] == [
        f"{MARKER}\n## Two, with `$5` and $\\alpha$\n"
        f"<sub>Of commit `{SHA[:10]}`, by [this run]({RUN_URL}).</sub>\n"
    ]
    assert github.comments[3]["body"] == f"{MARKER}\nmine"
    assert github.queries[0]["head"] == ["someone:a-branch"]


def test_a_report_that_is_not_of_the_head_is_not_posted(github: FakeGitHub, tmp_path: Path) -> None:
    github.pulls = [pull(7, "b" * 40)]
    done = post(github, write(tmp_path, "## Old"))
    assert (done.returncode, github.comments) == (0, [])
    assert "nothing to comment on" in done.stdout


def test_a_run_without_a_report_says_so(github: FakeGitHub, tmp_path: Path) -> None:
    done = post(github, tmp_path / "report.md")
    assert done.returncode == 0, done.stderr
    assert "did not finish (failure)" in github.comments[0]["body"]
    assert f"]({RUN_URL})" in github.comments[0]["body"]


def test_links_and_huge_files_are_not_read(github: FakeGitHub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the runner")
    (tmp_path / "report.md").symlink_to(tmp_path / "secret")
    assert post(github, tmp_path / "report.md").returncode == 0
    assert "left no report" in github.comments[0]["body"]
    (tmp_path / "report.md").unlink()
    assert post(github, write(tmp_path, "x" * 1_000_001)).returncode == 0
    assert "too large to be shown (1,000,001 bytes)" in github.comments[0]["body"]
    assert "of the runner" not in json.dumps(github.comments)


def test_what_stands_there_is_marked_while_a_new_run_goes(
    github: FakeGitHub, tmp_path: Path
) -> None:
    post(github, write(tmp_path, "## ✅ Same data"))
    for _ in range(2):  # once more: a second push before the first run ended
        done = post(github, tmp_path / "none.md", action="requested")
        assert done.returncode == 0, done.stderr
    (ours,) = github.comments
    assert ours["body"].startswith(f"{MARKER}\n⏳ A review of commit `{SHA[:10]}` is running")
    assert ours["body"].count("⏳") == 1
    assert "What follows is of an earlier one.\n\n## ✅ Same data" in ours["body"]
    post(github, write(tmp_path, "## ⚠️ 1 mart lost rows"))
    assert "⏳" not in ours["body"]
    assert "✅" not in ours["body"]


@pytest.mark.parametrize("conclusion", ["cancelled", "timed_out"])
def test_a_run_that_was_ended_says_so(github: FakeGitHub, tmp_path: Path, conclusion: str) -> None:
    post(github, write(tmp_path, "## ✅ Same data"))
    done = post(github, tmp_path / "none.md", conclusion=conclusion)
    assert done.returncode == 0, done.stderr
    assert (
        f"ended before it was done\n\nBy its time limit or by hand ({conclusion})"
        in (github.comments[0]["body"])
    )


def test_a_fork_that_is_gone(github: FakeGitHub, tmp_path: Path) -> None:
    github.pulls[0]["head"]["repo"] = None
    done = post(github, write(tmp_path, "## One"), head_repository=None)
    assert done.returncode == 0, done.stderr
    assert "## One" in github.comments[0]["body"]


def test_changes_to_what_judges_stand_on_top(github: FakeGitHub, tmp_path: Path) -> None:
    """Said by the code of main from GitHub's own list: the pull request cannot leave it out."""
    github.files = ["models/a.sql", "review/render.py", "Makefile", "tests/data/generic/`@x`.sql"]
    post(github, write(tmp_path, "## ✅ No difference in 56 tables"))
    body = github.comments[0]["body"]
    assert body.startswith(
        f"{MARKER}\n> ⚠️ This pull request changes what the report below rests on"
    )
    assert "`review/render.py`, `Makefile`, `tests/data/generic/??x?.sql`" in body
    assert "models/a.sql" not in body


def test_a_long_report_is_cut_below_the_limit(github: FakeGitHub, tmp_path: Path) -> None:
    done = post(github, write(tmp_path, "a line of text\n" * 20_000))
    assert done.returncode == 0, done.stderr
    body = github.comments[0]["body"]
    assert len(body) < 65_536
    assert len(body) > LIMIT - 500
    assert "Cut here" in body


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("ping @team/everybody", r"@\w"),
        ("<script>x</script>", r"<script|</script"),
        ("<!-- paris-colleges: review -->", r"<!--"),
        ("<img src=x>", r"<img"),
        ("![pixel](https://evil.example/p.png)", r"!\[|\]\(|https:"),
        ("[click](javascript:alert(1))", r"\]\("),
        ("see https://evil.example and www.evil.example", r"https:|www\."),
        (f"[x]({RUN_URL}.evil.example/)", r"\]\("),
        ("closes #12 and GH-13", r"#\d|GH-\d"),
        ("a colour:#12", r"#\d"),
        ("[Approve and merge][m]\n\n[m]: //evil.example/login", r"\]:"),
        ("> [!CAUTION]\n> merged", r"\[!"),
        ("ping &#64;team, &commat;team and &#x40;team", r"(&#64;|&commat;|&#x40;)\w"),
    ],
)
def test_a_strangers_text_can_only_be_read(text: str, pattern: str) -> None:
    assert re.search(pattern, text)
    assert not re.search(pattern, harmless(text, RUN_URL))


def test_what_the_report_itself_writes_stays() -> None:
    text = (
        f"<details><summary>Rows of <code>a&#36;b</code></summary>\n\n| `x` | −9.9 % |\n"
        f"</details>\n[this run]({RUN_URL})\n  classDef new stroke:#080,stroke-width:3px\n"
        'n0["a<br/>data"]:::data\n'
    )
    assert harmless(text, RUN_URL) == text
