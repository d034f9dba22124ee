"""Settings, read from the environment once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.errors import SettingsError

PROJECT_DIR = Path(__file__).resolve().parent.parent
TARGETS = ("duckdb", "snowflake")


@dataclass(frozen=True)
class Settings:
    """Where state lives and what the run talks to. Secrets are left out of ``repr``."""

    home: Path
    """All local state: embedded MongoDB, ``warehouse.duckdb``, dlt's working files."""
    target: str
    """``duckdb`` or ``snowflake``."""
    mongodb_uri: str | None = field(default=None, repr=False)
    """Use this server instead of the embedded one."""
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Portal name → API key (optional; sent as a header, never in a URL)."""

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse.duckdb"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read ``COLLEGES_HOME``, ``COLLEGES_TARGET``, ``MONGODB_URI`` and ``<PORTAL>_API_KEY``.

        Raises:
            SettingsError: a value is not one of those allowed.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("COLLEGES_HOME") or "data")
        target = env.get("COLLEGES_TARGET") or "duckdb"
        if target not in TARGETS:
            raise SettingsError(
                f"COLLEGES_TARGET is {target!r}; it must be one of {', '.join(TARGETS)}."
            )
        suffix = "_API_KEY"
        return cls(
            home=home if home.is_absolute() else PROJECT_DIR / home,
            target=target,
            mongodb_uri=env.get("MONGODB_URI") or None,
            api_keys={
                name.removesuffix(suffix).lower(): value
                for name, value in env.items()
                if name in ("OPENDATA_PARIS_API_KEY", "EDUCATION_NATIONALE_API_KEY") and value
            },
        )
