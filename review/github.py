"""GitHub's API as far as it is needed, with the standard library alone."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from typing import Any

AUTHOR = "github-actions[bot]"
"""Who writes with a job's own token."""
TIMEOUT_S = 30


class GitHubError(Exception):
    """GitHub was not reached or said no; the message says which."""


class GitHub:
    """One repository, with the token of the job.

    Raises:
        GitHubError: ``repository`` names none.
    """

    def __init__(self, api_url: str, repository: str, token: str) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise GitHubError(f"{repository!r} names no repository.")
        self.url = f"{api_url}/repos/{repository}"
        self.repository = repository
        self.token = token

    @classmethod
    def from_environment(cls) -> GitHub:
        """As a job finds it: ``GITHUB_REPOSITORY``, ``GH_TOKEN`` and, for another, the API's URL.

        Raises:
            GitHubError: a variable is missing.
        """
        try:
            return cls(
                os.environ.get("GITHUB_API_URL", "https://api.github.com"),
                os.environ["GITHUB_REPOSITORY"],
                os.environ["GH_TOKEN"],
            )
        except KeyError as error:
            raise GitHubError(f"The environment lacks {error}.") from error

    def call(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """Send a request to a path below the repository; the answer, decoded.

        Raises:
            GitHubError: no answer, or one that says no.
        """
        request = urllib.request.Request(  # noqa: S310
            self.url + path,
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            raise GitHubError(f"GitHub answered {error.code} to {method} {path}: {said}") from error
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise GitHubError(f"{method} {path} at GitHub failed: {error}") from error
