"""Every error this package raises on purpose.

A message says what happened, to which dataset or file, and what to do about it. The command line
prints the message alone and exits with the class's `exit_code`; anything else is a bug and keeps
its traceback.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CollegesError(Exception):
    """Base of the family; caught at the edge."""

    exit_code = 1


class SettingsError(CollegesError):
    """A setting is missing, malformed or still a placeholder, or names an unusable place."""

    exit_code = 2


class RegistryError(CollegesError):
    """`ingestion/datasets.yml` does not say what it must."""

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
    """MongoDB could not be reached, or refused a write."""


class DiskFullError(CollegesError):
    """There is no room for working files."""


@contextmanager
def disk_full(folder: Path) -> Iterator[None]:
    """Turn an OSError of a full disk, or of a quota that is met, into a `DiskFullError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DiskFullError(
            f"The disk of {folder}, where working files lie, is full (or a quota or `ulimit -f` is "
            "met). Nothing of this step was stored; free some space and run again."
        ) from error


class LockedError(CollegesError):
    """Another run holds the lock."""

    exit_code = 3


class MixedOriginError(CollegesError):
    """Synthetic and real records must not meet in one `COLLEGES_HOME`."""

    exit_code = 2


class WarehouseError(CollegesError):
    """The warehouse could not be reached, or refused a write."""


class ReconciliationError(CollegesError):
    """Two places that must hold the same records do not."""


class BuildError(CollegesError):
    """`dbt build` failed."""


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP ended the run.

    No `Exception`, as KeyboardInterrupt is none: a library that turns every exception into its own
    must not turn this one into a failure.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM: what a shell, systemd and Airflow expect."""
        return 128 + self.signal_number


def own_error(error: BaseException) -> CollegesError | Interrupted | KeyboardInterrupt | None:
    """The error of ours, or the interruption, that a library wrapped into one of its own."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, (CollegesError, Interrupted, KeyboardInterrupt)):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return None
