"""Every error this package raises on purpose.

A message says what happened, to which dataset or file, and what to do about it. The command line
prints the message alone and exits with the class's ``exit_code``; anything else is a bug and keeps
its traceback.
"""


class CollegesError(Exception):
    """Base of the family; catch this at the edge and nowhere else."""

    exit_code = 1


class SettingsError(CollegesError):
    """A setting is missing, malformed or still a placeholder."""

    exit_code = 2


class RegistryError(CollegesError):
    """``ingestion/datasets.yml`` does not say what it must."""

    exit_code = 2


class PortalError(CollegesError):
    """A portal could not be read. One dataset's failure never stops the others."""


class PortalUnreachableError(PortalError):
    """No connection, or no answer in time, after the bounded retries."""


class PortalRefusedError(PortalError):
    """The portal understood and said no (400, 401, 403): retrying cannot help."""


class UnknownDatasetError(PortalError):
    """The portal does not know the dataset (404)."""


class QuotaExceededError(PortalError):
    """The daily quota is used up and frees later than this run may wait (429)."""


class IncompletePullError(PortalError):
    """The stream was cut, or the rows received are not the rows announced."""


class PortalMovedError(IncompletePullError):
    """The portal published other data during the pull, which may be a mixture of both."""


class StoreError(CollegesError):
    """MongoDB could not be reached, or refused a write."""


class DiskFullError(CollegesError):
    """There is no room for the working files of a pull."""


class LockedError(CollegesError):
    """Another run holds the lock."""

    exit_code = 3


class MixedOriginError(CollegesError):
    """Synthetic and real records must not meet in one ``COLLEGES_HOME``."""

    exit_code = 2


class WarehouseError(CollegesError):
    """The warehouse could not be reached, or refused a write."""


class ReconciliationError(CollegesError):
    """Two places that must hold the same records do not."""


class BuildError(CollegesError):
    """``dbt build`` failed."""
