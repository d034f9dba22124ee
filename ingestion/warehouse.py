"""The warehouse, DuckDB or Snowflake: where it is, a connection to it, and its dlt destination.

The two differ here and nowhere else in the package. SQL that goes through a `Connection` runs on
both.
"""

from __future__ import annotations

import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from ingestion.errors import SettingsError, WarehouseError
from ingestion.settings import Settings

SCHEMA = "raw"
LOGIN_TIMEOUT_S = 15
NETWORK_TIMEOUT_S = 60
INSERT_ROWS = 200

Row = tuple[Any, ...]


class Connection:
    """Queries on an open warehouse; every error is a `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, driver: Any) -> None:
        self._warehouse = warehouse
        self._driver = driver

    def rows(self, sql: str) -> list[Row]:
        """All rows of a small result; for a statement, its count of affected rows."""
        with self._warehouse.explained(), closing(self._driver.cursor()) as cursor:
            cursor.execute(sql)
            fetched: list[Row] = cursor.fetchall()
            return fetched

    def stream(self, sql: str, page: int = 10_000) -> Iterator[Row]:
        """The rows of a result of any size, in constant memory."""
        with self._warehouse.explained(), closing(self._driver.cursor()) as cursor:
            cursor.execute(sql)
            while fetched := cursor.fetchmany(page):
                yield from fetched

    def create(self, table: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
        """Make an empty table of raw, where it is not there.

        Args:
            table: its name.
            columns: name → dlt's hints.
        """
        declared = ", ".join(
            f"{name} {self._warehouse.type_of(hints)}" for name, hints in columns.items()
        )
        # Asked first: a role that may only write raw must not make schemas, not even this one.
        if not self.rows(
            "select 1 from information_schema.schemata"  # noqa: S608
            f" where lower(schema_name) = '{SCHEMA}' and catalog_name = current_database()"
        ):
            self.rows(f"create schema {SCHEMA}")
        self.rows(f"create table if not exists {SCHEMA}.{table} ({declared})")

    def change(self, *statements: str) -> None:
        """Carry out statements in one transaction: all of them or none."""
        with self._warehouse.explained(), closing(self._driver.cursor()) as cursor:
            for statement in ("begin", *statements, "commit"):
                cursor.execute(statement)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Append a few rows, all of them or none.

        Args:
            table: of raw.
            columns: names, in the order of the values.
            rows: values; a timestamp is naive, in UTC.

        Returns:
            How many.
        """
        values = f"({', '.join([self._warehouse.placeholder] * len(columns))})"
        count = 0
        with self._warehouse.explained(), closing(self._driver.cursor()) as cursor:
            cursor.execute("begin")
            rest = iter(rows)
            while page := list(islice(rest, INSERT_ROWS)):
                cursor.execute(
                    f"insert into {SCHEMA}.{table} ({', '.join(columns)}) values"  # noqa: S608
                    f" {', '.join([values] * len(page))}",
                    [value for row in page for value in row],
                )
                count += len(page)
            cursor.execute("commit")
        return count


class Warehouse(ABC):
    """What a loader must know about a warehouse."""

    is_metered: ClassVar[bool]
    """True where a query alone costs money."""
    file_format: ClassVar[Literal["parquet", "jsonl"]]
    """What dlt loads it from."""
    placeholder: ClassVar[str]
    """Of a parameter in a statement."""
    types: ClassVar[Mapping[str, str]]
    """dlt's type of a column → the type it is declared with."""
    keeps_text: ClassVar[bool]
    """True where a payload comes out as the text that went in; else as the same JSON."""
    version_hash: ClassVar[str]
    """SQL: a whole number from a version's columns, equal where they are equal."""
    version_hash_locally: ClassVar[str]
    """SQL for DuckDB that yields the same number from a version read out of MongoDB."""

    identity: str
    """Names the warehouse, without any secret."""

    @contextmanager
    def connect(self, *, writable: bool = False) -> Iterator[Connection]:
        """Open it, and close it again before anything else needs it.

        Args:
            writable: False promises that nothing is written.

        Raises:
            WarehouseError: it cannot be opened; the message says why and what to do.
        """
        with self.explained():
            driver = self._open(writable)
        try:
            yield Connection(self, driver)
        finally:
            with self.explained():
                driver.close()

    def type_of(self, hints: Mapping[str, Any]) -> str:
        """What a column with dlt's hints is declared with."""
        return self.types[hints["data_type"]]

    @abstractmethod
    def _open(self, writable: bool) -> Any:
        """A DB-API connection."""

    @abstractmethod
    def destination(self) -> Any:
        """The dlt destination."""

    @abstractmethod
    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the errors of the driver into `WarehouseError`."""

    @abstractmethod
    def explain(self, error: str) -> str:
        """What an error's text means, and what to do about it."""


def open_warehouse(
    settings: Settings,
    environ: Mapping[str, str] | None = None,
    *,
    purpose: Literal["load", "read"] = "load",
) -> Warehouse:
    """The warehouse the settings name; nothing is opened yet.

    Args:
        settings: which one, and where state lives.
        environ: where Snowflake's settings are read; default the process's environment.
        purpose: write ``raw``, or read what dbt made of it; Snowflake may have a role for each.

    Raises:
        SettingsError: a setting of Snowflake's is missing or still a placeholder.
    """
    if settings.target == "snowflake":
        return Snowflake.from_environment(os.environ if environ is None else environ, purpose)
    return DuckDb(settings.warehouse_path)


# -- DuckDB ----------------------------------------------------------------------------------------


class DuckDb(Warehouse):
    """A DuckDB file. One process at a time may write to it."""

    is_metered = False
    keeps_text = True
    file_format = "parquet"
    placeholder = "?"
    types: ClassVar[Mapping[str, str]] = {
        "text": "varchar",
        "bigint": "bigint",
        "bool": "boolean",
        "double": "double",
        "timestamp": "timestamp",
        # The text exactly as received: a JSON column holds the same and checks it at every load.
        "json": "varchar",
    }
    version_hash = "hash(record_key, run_sequence, content_hash, payload is null, is_withdrawn)"
    version_hash_locally = (
        "hash(record_key, run_sequence, content_hash, content_hash is null, content_hash is null)"
    )

    _CONFIG: ClassVar[Mapping[str, Any]] = {
        # Rows carry their order in run_sequence; kept in file order they load half as fast.
        "preserve_insertion_order": False,
        # Enough for any number of rows; by default DuckDB takes most of the machine.
        "memory_limit": "1GB",
    }

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity = f"duckdb:{path}"

    def type_of(self, hints: Mapping[str, Any]) -> str:
        declared = super().type_of(hints)
        # zstd takes less time than what DuckDB chooses by itself, and half the space for JSON, a
        # thirtieth more for keys and hashes.
        if hints["data_type"] == "json" or "x-distinct" in hints:
            return f"{declared} using compression zstd"
        return declared

    def _open(self, writable: bool) -> Any:
        import duckdb

        if writable:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            return duckdb.connect(":memory:")
        return duckdb.connect(self.path, read_only=not writable, config={**self._CONFIG})

    def destination(self) -> Any:
        import dlt
        from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

        self.path.parent.mkdir(parents=True, exist_ok=True)
        return dlt.destinations.duckdb(
            credentials=DuckDbCredentials(str(self.path), global_config={**self._CONFIG})
        )

    @contextmanager
    def explained(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise WarehouseError(self.explain(str(error))) from error

    def explain(self, error: str) -> str:
        if lock := re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", error):
            return (
                f"{self.path} is in use by process {lock[2]} ({lock[1]}): another run, dbt, or a "
                "DuckDB shell. Let it end or close it, then run again."
            )
        if "could not set lock" in error.lower():
            return (
                f"{self.path} is in use by another process: another run, dbt, or a DuckDB shell. "
                "Let it end or close it, then run again."
            )
        if re.search("No space left|ENOSPC|Disk quota exceeded|File too large", error):
            return (
                f"The disk of {self.path.parent} is full (or a quota or `ulimit -f` is met). "
                "Nothing that was loaded before is lost; free some space and run again."
            )
        if "database file with version" in error or "newer" in error:
            return (
                f"{self.path} was written by another version of DuckDB ({_first_line(error)}). "
                "Use that version, or move the file away and run `colleges load`, which makes a "
                "new one from MongoDB (snapshots begin anew)."
            )
        if "not a valid DuckDB database" in error or "orrupt" in error or "checksum" in error:
            return (
                f"{self.path} is damaged or no DuckDB database ({_first_line(error)}). Put it back "
                "from a backup; or move it away and run `colleges load`, which makes a new one "
                "from MongoDB (snapshots begin anew)."
            )
        if "ermission denied" in error:
            return f"{self.path} may not be read or written by this user ({_first_line(error)})."
        return f"The warehouse {self.path} said: {_first_line(error)}"


# -- Snowflake -------------------------------------------------------------------------------------


class Snowflake(Warehouse):
    """A Snowflake database, signed in to by key pair."""

    is_metered = True
    keeps_text = False
    # Out of Parquet, COPY would put the payload into the VARIANT as one long string.
    file_format = "jsonl"
    placeholder = "%s"
    types: ClassVar[Mapping[str, str]] = {
        "text": "varchar",
        "bigint": "bigint",
        "bool": "boolean",
        "double": "double",
        "timestamp": "timestamp_ntz",
        "json": "variant",
    }
    version_hash = (
        "md5_number_lower64(concat(record_key, '|', to_varchar(run_sequence), '|',"
        " coalesce(content_hash, ''), '|', iff(payload is null, '1', '0'),"
        " iff(is_withdrawn, '1', '0')))"
    )
    version_hash_locally = (
        "('0x' || substr(md5(concat(record_key, '|', cast(run_sequence as varchar), '|',"
        " coalesce(content_hash, ''), '|', if(content_hash is null, '11', '00'))), 17))::ubigint"
    )

    _REQUIRED = ("ACCOUNT", "USER", "PRIVATE_KEY_PATH", "ROLE", "WAREHOUSE", "DATABASE")
    # Only for a fake; the account names the real host.
    _OPTIONAL = ("HOST", "PORT", "PROTOCOL")
    _PLACEHOLDER = re.compile(r"unset|<.*>|\.\.\.|x{3,}|change[-_ ]?me|(?:your|my)[-_ ].*", re.I)

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """``parameters``: the connector's, by name, all text."""
        self._parameters = dict(parameters)
        self.identity = f"snowflake:{parameters['account']}/{parameters['database']}".lower()

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], purpose: Literal["load", "read"] = "load"
    ) -> Snowflake:
        """Read ``SNOWFLAKE_ACCOUNT``, ``_USER``, ``_PRIVATE_KEY_PATH``, ``_ROLE``, ``_WAREHOUSE``
        and ``_DATABASE``; to load, also ``_LOADER_ROLE``, which goes before ``_ROLE``.

        Raises:
            SettingsError: one is missing or a placeholder, or the key file is not there or open
                to others.
        """
        values = {name: environ.get(f"SNOWFLAKE_{name}", "").strip() for name in cls._REQUIRED}
        wrong = [
            f"SNOWFLAKE_{name} is " + (f"still the placeholder {value!r}" if value else "not set")
            for name, value in values.items()
            if not value or cls._PLACEHOLDER.fullmatch(value)
        ]
        if wrong:
            raise SettingsError(
                f"{'; '.join(wrong)}. Snowflake takes its account, user, key pair, role, warehouse "
                "and database from the environment: set them, or COLLEGES_TARGET=duckdb."
            )
        key = Path(values["PRIVATE_KEY_PATH"]).expanduser()
        try:
            mode = key.stat().st_mode
        except OSError as error:
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {key}, which cannot be read: {error.strerror}."
            ) from error
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {key}, which must be a file that only its "
                f"owner can read: `chmod 600 {key}`."
            )
        values["PRIVATE_KEY_PATH"] = str(key)
        if purpose == "load" and (role := environ.get("SNOWFLAKE_LOADER_ROLE", "").strip()):
            values["ROLE"] = role
        optional = {name: environ.get(f"SNOWFLAKE_{name}", "") for name in cls._OPTIONAL}
        values |= {name: value for name, value in optional.items() if value}
        return cls({name.lower(): value for name, value in values.items()})

    def _open(self, writable: bool) -> Any:  # noqa: ARG002 — roles decide what may be written
        import snowflake.connector

        parameters = dict(self._parameters)
        return snowflake.connector.connect(
            **parameters | {"private_key_file": parameters.pop("private_key_path")},
            login_timeout=LOGIN_TIMEOUT_S,
            network_timeout=NETWORK_TIMEOUT_S,
            platform_detection_timeout_seconds=0,
            session_parameters={"TIMEZONE": "UTC", "QUERY_TAG": "paris_colleges load"},
        )

    def destination(self) -> Any:
        import dlt
        from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

        given = self._parameters
        credentials = SnowflakeCredentials()
        credentials.host = given["account"]
        credentials.username = given["user"]
        credentials.private_key_path = given["private_key_path"]
        credentials.role = given["role"]
        credentials.warehouse = given["warehouse"]
        credentials.database = given["database"]
        credentials.query = {
            "login_timeout": LOGIN_TIMEOUT_S,
            "network_timeout": NETWORK_TIMEOUT_S,
            "platform_detection_timeout_seconds": 0,
        } | {name.lower(): given[name.lower()] for name in self._OPTIONAL if name.lower() in given}
        return dlt.destinations.snowflake(
            credentials=credentials,
            # Each load's files are of no use after it.
            keep_staged_files=False,
            query_tag="paris_colleges load",
        )

    @contextmanager
    def explained(self) -> Iterator[None]:
        import snowflake.connector.errors

        try:
            yield
        # ValueError and TypeError: a private key that is none, or has a passphrase.
        except (snowflake.connector.errors.Error, OSError, ValueError, TypeError) as error:
            raise WarehouseError(self.explain(str(error))) from error

    def explain(self, error: str) -> str:
        given = self._parameters
        told = " ".join(error.split())[:500].rstrip(".")
        where = self.identity.partition(":")[2]
        if re.search(r"JWT token|\b39014\d\b|\b39430\d\b", error):
            return (
                f"Snowflake ({where}) did not accept the key pair of {given['user']} ({told}). The "
                f"key in {given['private_key_path']} is not the one registered for that user, or "
                "SNOWFLAKE_USER or SNOWFLAKE_ACCOUNT is not theirs: compare `DESC USER` with "
                "docs/snowflake.md. Nothing was read or written."
            )
        if re.search(r"\b404\b|\b290404\b|\b403 Forbidden", error):
            return (
                f"Snowflake has no account {given['account']} ({told}): SNOWFLAKE_ACCOUNT must be "
                "<organisation>-<account>, as in the address you sign in at. Nothing was read or "
                "written."
            )
        if "Could not connect to Snowflake backend" in error or "Name or service" in error:
            host = given.get("host") or f"{given['account']}.snowflakecomputing.com"
            return (
                f"{host} did not answer ({told}): no network, a proxy or a firewall, or "
                "SNOWFLAKE_ACCOUNT is misspelt. Nothing is half loaded; run again once it answers."
            )
        if re.search(r"PEM|DER|assword|private key|deserialize", error):
            return (
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {given['private_key_path']}, which is no "
                f"private key in PKCS#8 PEM without a passphrase ({told})."
            )
        if re.search(r"Insufficient privileges|not authorized|not granted|42501", error):
            return (
                f"Snowflake ({where}) refused this to role {given['role']}: {told}. A grant is "
                "missing, or the role is another one's: run deploy/snowflake_setup.sql again, "
                "which does no harm. Nothing is half loaded, and the next run completes."
            )
        return (
            f"Snowflake ({where}) said: {told}. Nothing is half loaded, and the next run completes."
        )


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:500].rstrip(".") + "." if lines else "nothing."
