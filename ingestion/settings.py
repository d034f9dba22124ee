"""Settings, read from the environment once, at the edge."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from ingestion.errors import SettingsError
from ingestion.registry import portals

PROJECT_DIR = Path(__file__).resolve().parent.parent
_SYNTAX = "'\"%?*[]{},:;\\"  # in a path, to DuckDB's SQL, dlt's formats or MongoDB's addresses


@dataclass(frozen=True)
class Settings:
    """Where state lives and what the run talks to. Secrets are left out of `repr`."""

    home: Path  # all local state: embedded MongoDB, `warehouse.duckdb`, working files
    target: str  # `duckdb` or `snowflake`
    mongodb_uri: str | None = field(default=None, repr=False)  # in place of the embedded server
    api_keys: Mapping[str, SecretStr] = field(default_factory=dict)  # by portal; optional

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def work_dir(self) -> Path:
        """For files of a pull and of dlt."""
        return self.home / "dlt"

    @property
    def synthetic_mark(self) -> Path:
        """A file that says that nothing in the home is real."""
        return self.home / "SYNTHETIC"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `COLLEGES_HOME`, `COLLEGES_TARGET`, `MONGODB_URI` and `<PORTAL>_API_KEY`."""

        def read(name: str, pattern: str = ".*", wanted: str = "") -> str | None:
            # `docker --env-file` leaves quotes on.
            value = environ.get(name, "").strip().strip("'\"").strip()
            if value and not re.fullmatch(pattern, value, re.DOTALL):
                raise SettingsError(f"{name} must be {wanted}.")
            return value or None

        keys = {
            portal.name: read(portal.key_variable, "[!-~]+", "printable ASCII without spaces")
            for portal in portals().values()
        }
        return cls(
            home=_home(read("COLLEGES_HOME") or "data"),
            target=read("COLLEGES_TARGET", "duckdb|snowflake", "duckdb or snowflake") or "duckdb",
            mongodb_uri=read("MONGODB_URI"),
            api_keys={name: SecretStr(key) for name, key in keys.items() if key},
        )

    def prepare_home(self) -> Path:
        """Make the home's folder; a SettingsError says why it cannot be used."""
        try:
            self.work_dir.mkdir(parents=True, exist_ok=True)
            if not os.access(self.home, os.W_OK | os.X_OK):
                raise PermissionError(0, "no permission to write there")
        except OSError as error:
            raise SettingsError(
                f"COLLEGES_HOME: {self.home} cannot be used: {error.strerror}. Name a folder that "
                "you may write to."
            ) from error
        return self.home


def _home(value: str) -> Path:
    try:
        home = PROJECT_DIR / Path(value).expanduser()  # an absolute path stays as it is
    except RuntimeError as error:
        raise SettingsError(f"COLLEGES_HOME: {value} names no home directory.") from error
    if odd := [c for c in str(home) if c in _SYNTAX or not c.isprintable()]:
        raise SettingsError(
            f"COLLEGES_HOME: the path {str(home)!r} holds {odd[0]!r}, which DuckDB, dlt or MongoDB "
            "would read as syntax. Name a folder without it."
        )
    return home
