"""git and other programs, run with a time limit and without the caller's secrets."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 900
"""For one process; all of them together take about a minute."""

# Nothing else of the caller's environment reaches the code under review: no token, no account.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "VIRTUAL_ENV")


class ReviewError(Exception):
    """The review itself cannot be made; the message says why and what to do."""


def git(project: Path, *arguments: str) -> bytes:
    """Run git in ``project``.

    Raises:
        ReviewError: git said no.
    """
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(project), *arguments],  # noqa: S607
        capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ReviewError(f"git {' '.join(arguments)} failed: {said}")
    return done.stdout


def merge_base(project: Path, base: str) -> str:
    """The commit the working tree grew from.

    Raises:
        ReviewError: ``base`` is not known here.
    """
    try:
        # --end-of-options: a branch name is data and must not be read as an option
        arguments = ("merge-base", "HEAD", "--end-of-options", base)
        return git(project, *arguments).decode().strip()
    except ReviewError as error:
        raise ReviewError(
            f"No common ancestor of HEAD and {base!r} is here. Name a branch or commit that exists "
            f"(make review BASE=...); in a shallow clone, fetch the history first. {error}"
        ) from error


@contextmanager
def checked_out(project: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder of their own; the repository is only read."""
    with tempfile.TemporaryDirectory(prefix="colleges-review-") as folder:
        archive = git(project, "archive", "--format=tar", commit)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONIOENCODING": "utf-8", **settings}


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603
            command, cwd=folder, env=dict(environment), capture_output=True, text=True,
            check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ReviewError(
            f"{' '.join(command[:6])} took more than {TIMEOUT_S} s and was ended."
        ) from error


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add what a step takes to ``seconds``."""
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started
