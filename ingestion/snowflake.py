"""Snowflake as a warehouse: its settings, its dlt destination, what its errors mean."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ingestion.errors import SettingsError
from ingestion.warehouse import Warehouse

_REQUIRED = ("ACCOUNT", "USER", "PRIVATE_KEY_PATH", "ROLE", "WAREHOUSE", "DATABASE")
_OF_A_FAKE = ("HOST", "PORT", "PROTOCOL")  # the account names the real host
_PLACEHOLDER = re.compile(r"|unset|<.*>|\.\.\.|x{3,}|change[-_ ]?me|(?:your|my)[-_ ].*", re.I)


class Snowflake(Warehouse):
    """A Snowflake database, signed in to by key pair."""

    program, is_metered = "snowflake", True
    version_hash = (
        "md5_number_lower64(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " iff(payload is null, '1', '0'), iff(is_withdrawn, '1', '0')))"
    )
    version_hash_locally = (
        "('0x' || substr(md5(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " if(content_hash is null, '11', '00'))), 17))::ubigint"
    )

    def __init__(self, environ: Mapping[str, str], purpose: Literal["load", "read"]) -> None:
        """Read `SNOWFLAKE_ACCOUNT`, `_USER`, `_PRIVATE_KEY_PATH`, `_ROLE`, `_WAREHOUSE` and
        `_DATABASE`; to load, also `_LOADER_ROLE`, which goes before `_ROLE`.

        Raises:
            SettingsError: one is missing or a placeholder, or the key file is not there or open
                to others.
        """
        names = (*_REQUIRED, *_OF_A_FAKE, "LOADER_ROLE")
        given = {name: environ.get(f"SNOWFLAKE_{name}", "").strip() for name in names}
        if wrong := [f"SNOWFLAKE_{n}" for n in _REQUIRED if _PLACEHOLDER.fullmatch(given[n])]:
            raise SettingsError(
                f"{', '.join(wrong)}: not set, or still a placeholder. Set what .env.example lists "
                "for Snowflake, or COLLEGES_TARGET=duckdb."
            )
        key = Path(given["PRIVATE_KEY_PATH"]).expanduser()
        mode = key.stat().st_mode if key.exists() else 0
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {key}, which must be a file that only its owner "
                f"can read: `chmod 600 {key}`."
            )
        if purpose == "load":
            given["ROLE"] = given["LOADER_ROLE"] or given["ROLE"]
        self._given = given | {"PRIVATE_KEY_PATH": str(key)}
        where = f"{given['ACCOUNT']}/{given['DATABASE']}".lower()
        self.facts, self.identity = self._given | {"where": where}, f"snowflake:{where}"

    def destination(self, *, writable: bool = True) -> Any:  # noqa: ARG002 - its role decides
        import dlt
        from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

        given = self._given
        credentials = SnowflakeCredentials()
        credentials.host = given["ACCOUNT"]
        credentials.username = given["USER"]
        for name in ("PRIVATE_KEY_PATH", "ROLE", "WAREHOUSE", "DATABASE"):
            setattr(credentials, name.lower(), given[name])
        credentials.query = {
            "login_timeout": 15,
            "network_timeout": 60,
            "platform_detection_timeout_seconds": 0,
            "session_parameters": {"QUERY_TAG": "paris_colleges load"},
            **{name.lower(): given[name] for name in _OF_A_FAKE if given[name]},
        }
        return dlt.destinations.snowflake(
            credentials=credentials,
            keep_staged_files=False,  # of no use after the load
        )
