"""Puts a report on its pull request as one comment, edited in place from then on.

Run by ``review-comment.yml`` on the default branch with a token that may write comments, after
``review.yml`` ran the code under review without one. What that run left behind is a stranger's
text: it names neither the pull request nor the repository (the event does), and it can do no more
in a comment than be read. Standard library alone, so the job installs nothing.
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
LIMIT = 65_000
"""Characters of a comment; GitHub takes 65 536."""
MAX_BYTES = 1_000_000
MAX_PAGES = 50

_TAGS = r"/?(?:details|summary|code|pre|sub)>|br/?>"
_INVISIBLE = "\u200b"
"""Zero-width space: behind it GitHub sees no mention, tag, link or reference."""


class CommentError(Exception):
    """The comment cannot be written; the message says why."""


def harmless(text: str, run_url: str) -> str:
    """The text with everything taken out that would do more than be read.

    Only the tags the report itself uses and links to the run it comes from stay.
    """
    text = "".join(c for c in text if c in "\n\t" or c.isprintable())
    text = re.sub(rf"<(?!{_TAGS})", f"<{_INVISIBLE}", text)
    text = text.replace("@", f"@{_INVISIBLE}").replace("![", f"!{_INVISIBLE}[")
    kept = re.escape(run_url)
    text = re.sub(rf"\]\((?!{kept}\))", f"]{_INVISIBLE}(", text)
    text = re.sub(rf"(?!{kept}\b)(https?|ftp|mailto):", rf"\1{_INVISIBLE}:", text, flags=re.I)
    text = re.sub(r"\b(www)\.", rf"\1{_INVISIBLE}.", text, flags=re.I)
    # #123 and GH-123; not an entity (&#36;) and not a colour of the drawing (stroke:#080)
    text = re.sub(r"(?<![&:])#(?=\d)", f"#{_INVISIBLE}", text)
    return re.sub(r"\b(GH)-(?=\d)", rf"\1-{_INVISIBLE}", text, flags=re.I)


def body(report: Path, event: dict[str, Any]) -> str:
    """What the comment says: the report, or that there is none."""
    run = event["workflow_run"]
    url = str(run["html_url"])
    if not report.exists():
        said = (
            f"## ❌ The review did not finish ({run['conclusion']})\n\nWhy is in [its log]({url})."
        )
        return f"{MARKER}\n{said}\n"
    if report.is_symlink() or not report.is_file():
        raise CommentError(f"{report.name} is not a plain file; nothing was posted.")
    if (size := report.stat().st_size) > MAX_BYTES:
        raise CommentError(f"{report.name} has {size:,} bytes, too many for a report.")
    text = harmless(report.read_text(encoding="utf-8", errors="replace"), url)
    if len(text) > LIMIT:
        text = text[:LIMIT].rpartition("\n")[0]
        text += f"\n\nCut here; all of it is in the artifact `review` of [this run]({url}).\n"
    return f"{MARKER}\n{text}"


def pull_request(github: GitHub, run: dict[str, Any]) -> int | None:
    """The open pull request whose head this run built; None where it moved on or closed.

    The event lists none for a fork, so its branch is looked up and its head compared.
    """
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    query = urllib.parse.urlencode({"state": "open", "head": head, "per_page": 100})
    numbers = [
        pull["number"]
        for pull in github.call("GET", f"/pulls?{query}")
        if pull["head"]["sha"] == run["head_sha"]
        and (pull["head"]["repo"] or {}).get("full_name") == run["head_repository"]["full_name"]
    ]
    return int(numbers[0]) if len(numbers) == 1 else None


def upsert(github: GitHub, number: int, text: str) -> str:
    """Edit our comment or, the first time, write it; the address of it."""
    for page in range(1, MAX_PAGES + 1):
        comments = github.call("GET", f"/issues/{number}/comments?per_page=100&page={page}")
        for comment in comments:
            # The marker alone proves nothing: anybody can write one.
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER):
                path = f"/issues/comments/{int(comment['id'])}"
                return str(github.call("PATCH", path, {"body": text})["html_url"])
        if len(comments) < 100:
            break
    written = github.call("POST", f"/issues/{number}/comments", {"body": text})
    return str(written["html_url"])


def main() -> int:
    """Post the report that the event's run left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="report.md of the run")
    report = parser.parse_args().report
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        github = GitHub.from_environment()
        number = pull_request(github, event["workflow_run"])
        if number is None:
            print("No open pull request has this commit as its head: nothing to comment on.")  # noqa: T201
            return 0
        print(upsert(github, number, body(report, event)))  # noqa: T201
    except (CommentError, GitHubError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
