"""Settings, read from the environment once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.errors import SettingsError
from ingestion.registry import portals

PROJECT_DIR = Path(__file__).resolve().parent.parent
TARGETS = ("duckdb", "snowflake")
_SYNTAX = "'\"%?*[]{},:;\\"
"""Read as syntax in a path by DuckDB's SQL, dlt's format strings, or MongoDB's addresses."""


@dataclass(frozen=True)
class Settings:
    """Where state lives and what the run talks to. Secrets are left out of `repr`."""

    home: Path
    """All local state: embedded MongoDB, `warehouse.duckdb`, working files. Absolute."""
    target: str
    """`duckdb` or `snowflake`."""
    mongodb_uri: str | None = field(default=None, repr=False)
    """Use this server instead of the embedded one."""
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Portal name → API key (optional; sent as a header, never in a URL)."""

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse.duckdb"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `COLLEGES_HOME`, `COLLEGES_TARGET`, `MONGODB_URI` and `<PORTAL>_API_KEY`.

        Raises:
            SettingsError: a value is not one of those allowed.
        """
        env = os.environ if environ is None else environ

        def read(name: str) -> str | None:
            value = env.get(name, "").strip()
            # `docker --env-file` leaves quotes on.
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1].strip()
            return value or None

        target = read("COLLEGES_TARGET") or "duckdb"
        if target not in TARGETS:
            raise SettingsError(
                f"COLLEGES_TARGET is {target!r}; it must be one of {', '.join(TARGETS)}."
            )
        keys = {portal.name: read(portal.key_variable) for portal in portals().values()}
        return cls(
            home=_home(read("COLLEGES_HOME") or "data"),
            target=target,
            mongodb_uri=read("MONGODB_URI"),
            api_keys={name: key for name, key in keys.items() if key},
        )

    def prepare_home(self) -> Path:
        """Make the home's folder; a SettingsError says why it cannot be used."""
        why = None
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if not os.access(self.home, os.W_OK | os.X_OK):
                why = "no permission to write there"
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            raise SettingsError(
                f"COLLEGES_HOME: {self.home} cannot be used: {why}. Name a folder that you may "
                "write to."
            )
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
