"""Snowflake as a warehouse: its settings, its dlt destination, what its errors mean."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ingestion.errors import SettingsError
from ingestion.warehouse import Warehouse, say

LOGIN_TIMEOUT_S = 15
NETWORK_TIMEOUT_S = 60


class Snowflake(Warehouse):
    """A Snowflake database, signed in to by key pair."""

    is_metered = True
    version_hash = (
        "md5_number_lower64(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " iff(payload is null, '1', '0'), iff(is_withdrawn, '1', '0')))"
    )
    version_hash_locally = (
        "('0x' || substr(md5(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " if(content_hash is null, '11', '00'))), 17))::ubigint"
    )

    _REQUIRED = ("ACCOUNT", "USER", "PRIVATE_KEY_PATH", "ROLE", "WAREHOUSE", "DATABASE")
    # Only for a fake; the account names the real host.
    _OPTIONAL = ("HOST", "PORT", "PROTOCOL")
    _PLACEHOLDER = re.compile(r"unset|<.*>|\.\.\.|x{3,}|change[-_ ]?me|(?:your|my)[-_ ].*", re.I)

    def __init__(
        self, environ: Mapping[str, str], purpose: Literal["load", "read"] = "load"
    ) -> None:
        """Read `SNOWFLAKE_ACCOUNT`, `_USER`, `_PRIVATE_KEY_PATH`, `_ROLE`, `_WAREHOUSE` and
        `_DATABASE`; to load, also `_LOADER_ROLE`, which goes before `_ROLE`.

        Raises:
            SettingsError: one is missing or a placeholder, or the key file is not there or open
                to others.
        """
        given = {name: environ.get(f"SNOWFLAKE_{name}", "").strip() for name in self._REQUIRED}
        wrong = [
            f"SNOWFLAKE_{name} is " + (f"still the placeholder {value!r}" if value else "not set")
            for name, value in given.items()
            if not value or self._PLACEHOLDER.fullmatch(value)
        ]
        if wrong:
            raise SettingsError(
                f"{'; '.join(wrong)}. Snowflake takes its account, user, key pair, role, warehouse "
                "and database from the environment: set them, or COLLEGES_TARGET=duckdb."
            )
        self._key = Path(given["PRIVATE_KEY_PATH"]).expanduser()
        try:
            mode = self._key.stat().st_mode
        except OSError as error:
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {self._key}, which cannot be read: "
                f"{error.strerror}."
            ) from error
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {self._key}, which must be a file that only its "
                f"owner can read: `chmod 600 {self._key}`."
            )
        if purpose == "load" and (role := environ.get("SNOWFLAKE_LOADER_ROLE", "").strip()):
            given["ROLE"] = role
        self._given = given
        self._query = {
            name.lower(): value
            for name in self._OPTIONAL
            if (value := environ.get(f"SNOWFLAKE_{name}", ""))
        }
        self.identity = f"snowflake:{given['ACCOUNT']}/{given['DATABASE']}".lower()

    def destination(self, *, writable: bool = True) -> Any:  # noqa: ARG002 - its role decides
        import dlt
        from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

        credentials = SnowflakeCredentials()
        credentials.host = self._given["ACCOUNT"]
        credentials.username = self._given["USER"]
        credentials.private_key_path = str(self._key)
        credentials.role = self._given["ROLE"]
        credentials.warehouse = self._given["WAREHOUSE"]
        credentials.database = self._given["DATABASE"]
        credentials.query = {
            "login_timeout": LOGIN_TIMEOUT_S,
            "network_timeout": NETWORK_TIMEOUT_S,
            "platform_detection_timeout_seconds": 0,
            **self._query,
        }
        return dlt.destinations.snowflake(
            credentials=credentials,
            keep_staged_files=False,  # of no use after the load
            query_tag="paris_colleges load",
        )

    def explain(self, error: str) -> str:
        host = self._query.get("host") or f"{self._given['ACCOUNT']}.snowflakecomputing.com"
        where, told = self.identity.partition(":")[2], " ".join(error.split())[:500].rstrip(".")
        return say(
            _SNOWFLAKE_SAYS, error, where=where, told=told, host=host, key=self._key, **self._given
        )


_AGAIN = "Nothing is half loaded, and the next run completes."
_SNOWFLAKE_SAYS = {
    r"JWT token|\b39014\d\b|\b39430\d\b": "Snowflake ({where}) did not accept the key pair of "
    "{USER} ({told}). The key in {key} is not the one registered for that user, or SNOWFLAKE_USER "
    "or SNOWFLAKE_ACCOUNT is not theirs: compare `DESC USER` with docs/snowflake.md. Nothing was "
    "read or written.",
    r"\b404\b|\b290404\b|\b403 Forbidden": "Snowflake has no account {ACCOUNT} ({told}): "
    "SNOWFLAKE_ACCOUNT must be <organisation>-<account>, as in the address you sign in at. Nothing "
    "was read or written.",
    "Could not connect to Snowflake backend|Name or service|timed out|refused": "{host} did not answer ({told}): no "
    f"network, a proxy or a firewall, or SNOWFLAKE_ACCOUNT is misspelt. {_AGAIN}",
    "PEM|DER|assword|private key|deserialize|base64": "SNOWFLAKE_PRIVATE_KEY_PATH names {key}, which is "
    "no private key in PKCS#8 PEM without a passphrase ({told}).",
    "Insufficient privileges|not authorized|not granted|42501": "Snowflake ({where}) refused this "
    "to role {ROLE}: {told}. A grant is missing, or the role is another one's: run "
    f"deploy/snowflake_setup.sql again, which does no harm. {_AGAIN}",
    "": f"Snowflake ({{where}}) said: {{told}}. {_AGAIN}",
}
