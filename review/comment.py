"""Puts a report on its pull request as one comment, edited in place from then on.

Run by ``review-comment.yml`` on the default branch with a token that may write comments: once when
``review.yml`` starts, to mark what stands there as old, and once when it ended. What that run left
behind is a stranger's text: it names neither the pull request nor the repository (the event does),
and it can do no more in a comment than be read. Which files the pull request changes comes from
GitHub too. Standard library alone, so the job installs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from review.github import AUTHOR, GitHub, GitHubError

MARKER = "<!-- paris-colleges: review -->"
LIMIT = 64_000
"""Characters of a report; GitHub takes 65 536, and what is said above it is added."""
MAX_BYTES = 1_000_000
MAX_PAGES = 50
SHOWN_FILES = 10
JUDGES = (
    ".ci/", ".github/", "Makefile", "ingestion/", "macros/generate_schema_name.sql",
    "pyproject.toml", "requirements/", "review/", "sandbox/", "tests/data/generic/",
)  # fmt: skip
"""What a report rests on beside the models: code that runs while it is made, and checks."""

_TAGS = r"/?(?:details|summary|code|pre|sub)>|br/?>"
_CLASSES = r"::(?:data|exposure|new|removed|same)$"
"""What follows a box of the drawing."""
_INVISIBLE = "\u200b"
"""Zero-width space: behind it GitHub sees no mention, tag, link or reference."""
_ENTITIES = r"&(?:#0*(?:64|35)|#x0*(?:40|23)|commat|num);"
"""`@` and `#` in other spellings: references are looked for in what Markdown has become."""


def harmless(text: str, run_url: str) -> str:
    """The text with everything taken out that would do more than be read.

    Only the tags the report itself uses and links to the run it comes from stay.
    """
    text = "".join(c for c in text if c in "\n\t" or c.isprintable())
    text = re.sub(rf"<(?!{_TAGS})", f"<{_INVISIBLE}", text)
    text = text.replace("@", f"@{_INVISIBLE}").replace("![", f"!{_INVISIBLE}[")
    # [name]: //host defines a link that [name] elsewhere becomes; [!CAUTION] is a box in colour
    text = re.sub(rf"\]:(?!{_CLASSES})", f"]{_INVISIBLE}:", text, flags=re.M)
    text = text.replace("[!", f"[{_INVISIBLE}!")
    kept = re.escape(run_url)
    text = re.sub(rf"\]\((?!{kept}\))", f"]{_INVISIBLE}(", text)
    text = re.sub(rf"(?!{kept}\b)(https?|ftp|mailto):", rf"\1{_INVISIBLE}:", text, flags=re.I)
    text = re.sub(r"\b(www)\.", rf"\1{_INVISIBLE}.", text, flags=re.I)
    # #123 and GH-123; not an entity (&#36;) and not a colour of the drawing
    text = re.sub(r"(?<!&)(?<!stroke:)#(?=\d)", f"#{_INVISIBLE}", text)
    text = re.sub(_ENTITIES, rf"\g<0>{_INVISIBLE}", text, flags=re.I)
    return re.sub(r"\b(GH)-(?=\d)", rf"\1-{_INVISIBLE}", text, flags=re.I)


def body(report: Path, run: dict[str, Any], files: list[str]) -> str:
    """What the comment says of a run that ended: its report, or why there is none."""
    url, commit = str(run["html_url"]), str(run["head_sha"])[:10]
    of = f"<sub>Of commit `{commit}`, by [this run]({url}).</sub>"
    return f"{MARKER}\n{_judges(files)}{_said(report, run, url)}\n{of}\n"


def _said(report: Path, run: dict[str, Any], url: str) -> str:
    ended = str(run["conclusion"])
    if ended in {"cancelled", "timed_out"}:
        return (
            "## ❌ The review was ended before it was done\n\n"
            f"By its time limit or by hand ({ended}): see [its log]({url}).\n"
        )
    if report.is_symlink() or (report.exists() and not report.is_file()):
        return (
            f"## ❌ The review left no report\n\nWhat it left is no file: see [its log]({url}).\n"
        )
    if not report.exists():
        return f"## ❌ The review did not finish ({ended})\n\nWhy is in [its log]({url}).\n"
    if (size := report.stat().st_size) > MAX_BYTES:
        return (
            f"## ❌ The report is too large to be shown ({size:,} bytes)\n\n"
            f"It is in the artifact `review` of [this run]({url}).\n"
        )
    text = harmless(report.read_text(encoding="utf-8", errors="replace"), url)
    if len(text) > LIMIT:
        text = text[:LIMIT].rpartition("\n")[0]
        text += f"\n\nCut here; all of it is in the artifact `review` of [this run]({url}).\n"
    return text


def _judges(files: list[str]) -> str:
    """That the pull request changes what the report rests on; empty where it does not."""
    named = [file for file in files if file.startswith(JUDGES)]
    if not named:
        return ""
    shown = ", ".join(f"`{re.sub(r'[^A-Za-z0-9._/-]', '?', file)}`" for file in named[:SHOWN_FILES])
    rest = f" and {len(named) - SHOWN_FILES} more" if len(named) > SHOWN_FILES else ""
    return (
        "> ⚠️ This pull request changes what the report below rests on: "
        f"{shown}{rest}. Read that first.\n\n"
    )


def running(run: dict[str, Any], earlier: str) -> str:
    """The comment while a new run goes: what stood there, marked as old."""
    url, commit = str(run["html_url"]), str(run["head_sha"])[:10]
    said = f"⏳ A review of commit `{commit}` is running: [this run]({url})."
    rest = earlier.removeprefix(MARKER).lstrip("\n")
    rest = re.sub(r"\A⏳[^\n]*\n+", "", rest)
    if rest:
        said += " What follows is of an earlier one."
    return f"{MARKER}\n{said}\n\n{rest}"


def pull_requests(github: GitHub, run: dict[str, Any]) -> list[int]:
    """The open pull requests whose head this run built; none where they moved on or closed.

    The event names them for a branch of this repository. Of a fork it names none, so its branch is
    looked up and its head compared; of a fork that was deleted, every open one.
    """
    named = [int(pull["number"]) for pull in run.get("pull_requests") or []]
    query = {"state": "open", "per_page": "100"}
    fork = run.get("head_repository")
    if fork:
        query["head"] = f"{fork['owner']['login']}:{run['head_branch']}"
    found = []
    for page in range(1, MAX_PAGES + 1):
        pulls = github.call("GET", f"/pulls?{urllib.parse.urlencode({**query, 'page': page})}")
        for pull in pulls:
            whose = (pull["head"]["repo"] or {}).get("full_name")
            if pull["head"]["sha"] == run["head_sha"] and whose == (fork or {}).get("full_name"):
                found.append(int(pull["number"]))
        if len(pulls) < 100:
            break
    return [number for number in found if number in named] if len(named) == 1 else found


def changed_files(github: GitHub, number: int) -> list[str]:
    """Paths that a pull request changes, those it moves files away from too."""
    files: list[str] = []
    for page in range(1, MAX_PAGES + 1):
        listed = github.call("GET", f"/pulls/{number}/files?per_page=100&page={page}")
        for file in listed:
            files += [file["filename"], *filter(None, [file.get("previous_filename")])]
        if len(listed) < 100:
            break
    return files


def find_comment(github: GitHub, number: int) -> dict[str, Any] | None:
    """Our comment on a pull request. The marker alone proves nothing: anybody can write one."""
    for page in range(1, MAX_PAGES + 1):
        comments = github.call("GET", f"/issues/{number}/comments?per_page=100&page={page}")
        for comment in comments:
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER):
                return dict(comment)
        if len(comments) < 100:
            break
    return None


def upsert(github: GitHub, number: int, text: str, ours: dict[str, Any] | None) -> str:
    """Edit our comment or, the first time, write it; the address of it."""
    if ours:
        path = f"/issues/comments/{int(ours['id'])}"
        return str(github.call("PATCH", path, {"body": text})["html_url"])
    written = github.call("POST", f"/issues/{number}/comments", {"body": text})
    return str(written["html_url"])


def main() -> int:
    """Post the report that the event's run left behind, or that a run has begun."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="report.md of the run")
    report = parser.parse_args().report
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        github = GitHub.from_environment()
        run = event["workflow_run"]
        numbers = pull_requests(github, run)
        if not numbers:
            print("No open pull request has this commit as its head: nothing to comment on.")  # noqa: T201
        for number in numbers:
            ours = find_comment(github, number)
            if event.get("action") in {"requested", "in_progress"}:
                text = running(run, ours["body"] if ours else "")
            elif len(numbers) > 1:
                # The report of one of them; which one, only a stranger's text says.
                text = (
                    f"{MARKER}\n## A review of this commit is done\n\n{len(numbers)} open pull "
                    f"requests have it as their head: read [the run]({run['html_url']}) that names "
                    "this one's base.\n"
                )
            else:
                text = body(report, run, changed_files(github, number))
            print(upsert(github, number, text, ours))  # noqa: T201
    except GitHubError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
