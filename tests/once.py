"""What is slow to make, made by one worker for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

TIMEOUT_S = 900
"""Far more than any of it takes, also on a busy machine."""


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder below `run_directory`, filled by the first worker that asks; others wait for it.

    A worker that failed leaves no mark, and the next one begins with an empty folder.
    """
    done = folder / "built"
    with FileLock(f"{folder}.lock", timeout=TIMEOUT_S):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
