"""Every error this package raises on purpose.

A message says what happened, to which dataset or file, and what to do about it. The command line
prints the message alone and exits with the class's `exit_code`; anything else is a bug and keeps
its traceback.
"""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


class CollegesError(Exception):
    """Base of the family; caught at the edge."""

    exit_code = 1


class SettingsError(CollegesError):
    """A setting or `datasets.yml` is wrong, or a place cannot be used for what is asked."""

    exit_code = 2


class PortalError(CollegesError):
    """A portal could not be read, or said no. One dataset's failure never stops the others."""


class PortalUnreachableError(PortalError):
    """No connection, or no answer in time, after a bounded number of attempts."""


class UnknownDatasetError(PortalError):
    """The portal does not know the dataset (404)."""


class IncompletePullError(PortalError):
    """The stream was cut, the rows are not those announced, or the data moved meanwhile."""


class StoreError(CollegesError):
    """MongoDB or the disk of the working files could not be used, or holds what it must not."""


class LockedError(CollegesError):
    """Another run holds the lock."""

    exit_code = 3


class WarehouseError(CollegesError):
    """The warehouse could not be reached, or refused a write."""


class ReconciliationError(CollegesError):
    """Two places that must hold the same records do not."""


class BuildError(CollegesError):
    """`dbt build` failed."""


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP ended the run; no `Exception`, so no library takes it for one."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number  # what a shell, systemd and Airflow expect


@contextmanager
def disk_full(folder: Path) -> Iterator[None]:
    """Turn an OSError of a full disk, or of a quota that is met, into a `StoreError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StoreError(
            f"The disk of {folder}, where working files lie, is full (or a quota or `ulimit -f` is "
            "met). Nothing of this step was stored; free some space and run again."
        ) from error


def advice(program: str, text: str, **facts: Any) -> str:
    """What an error of another program means and what to do, by advice.yml."""
    told = yaml.safe_load(Path(__file__).with_name("advice.yml").read_text(encoding="utf-8"))
    tried = ((re.search(pattern, text), said) for pattern, said in told[program].items())
    found, said = next((found, said) for found, said in tried if found)
    return str(said.format(*found.groups(), **facts))


def root_cause(error: BaseException, *kinds: type[BaseException]) -> BaseException:
    """What a library wrapped into errors of its own: the first of these kinds, else the deepest."""
    while not isinstance(error, kinds) and (deeper := error.__cause__ or error.__context__):
        error = deeper
    return error
