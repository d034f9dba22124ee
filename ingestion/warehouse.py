"""The warehouse as dlt reaches it, by its destination and its SQL client: DuckDB or Snowflake."""

from __future__ import annotations

import os
import re
import shutil
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from ingestion.errors import CollegesError, SettingsError, WarehouseError, advice, root_cause
from ingestion.settings import PROJECT_DIR, Settings

SCHEMA = "raw"
LEDGER = "_source_load"
INSERT_ROWS = 100  # in a statement


def fresh_pipeline(name: str, destination: Any, dataset_name: str, work_dir: Path) -> Any:
    """A dlt pipeline without a past: a package that dlt would resume may have been loaded already.

    Its working files lie below `work_dir` in the folder `name`, which is emptied first.
    """
    shutil.rmtree(work_dir / name, ignore_errors=True)
    own = {"pipeline_name": name, "pipelines_dir": str(work_dir), "dataset_name": dataset_name}
    return _configured_dlt().pipeline(destination=destination, **own)


def hints(columns: Mapping[str, str]) -> Any:
    """A table's columns as dlt wants them told; a timestamp without zone is UTC."""
    zone = {"timestamp": {"timezone": False}}
    return {name: {"data_type": kind, **zone.get(kind, {})} for name, kind in columns.items()}


def _configured_dlt() -> Any:
    """dlt with the settings in this project's `.dlt`, wherever the command was called."""
    import dlt
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
    from dlt.common.runtime.run_context import RunContext

    current = Container()[PluggableRunContext]
    if current.context.run_dir != str(PROJECT_DIR):
        current.reload(RunContext(str(PROJECT_DIR)))
    return dlt


class Connection:
    """An open warehouse; every error is a `WarehouseError`."""

    def __init__(self, client: Any, warehouse: Warehouse) -> None:
        self._client = client
        self._warehouse = warehouse

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables of raw, in lower case."""
        found = self.rows(
            "select lower(table_name) from information_schema.tables where"  # noqa: S608
            f" lower(table_schema) = '{SCHEMA}' and table_catalog = current_database()"
        )
        return frozenset(str(name) for (name,) in found)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a small result; `%s` stands for a value."""
        with self._warehouse.explained():
            return list(self._client.execute_sql(sql, *values) or ())

    def stream(self, sql: str, page: int = 5_000) -> Iterator[tuple[Any, ...]]:
        """The rows of a result of any size."""
        with self._warehouse.explained(), self._client.execute_query(sql) as cursor:
            while fetched := cursor.fetchmany(page):
                yield from fetched

    def insert(
        self, table: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Insert rows into a table of raw, which is made if need be: all or none.

        `columns` are in the words of dlt; times are written in UTC, without zone.
        """
        mapper = self._client.capabilities.get_type_mapper()
        types = (
            f"{name} {mapper.to_destination_type({'name': name, **hint}, {'name': table})}"
            for name, hint in hints(columns).items()
        )
        self.rows(f"create table if not exists {SCHEMA}.{table} ({', '.join(types)})")
        into = f"insert into {SCHEMA}.{table} ({', '.join(columns)}) values "  # noqa: S608
        left, row = iter(rows), f"({', '.join(['%s'] * len(columns))})"
        with self._warehouse.explained(), self._client.begin_transaction():
            while page := list(islice(left, INSERT_ROWS)):
                values = (_without_zone(given[name]) for given in page for name in columns)
                self.rows(into + ", ".join([row] * len(page)), *values)

    def ledger(self) -> dict[str, dict[int, str]]:
        """Table → run sequence → run id, of what `raw._source_load` says is loaded."""
        found: dict[str, dict[int, str]] = {}
        if LEDGER in self.tables:
            query = f"select table_name, run_sequence, run_id from {SCHEMA}.{LEDGER}"  # noqa: S608
            for table, sequence, run_id in self.rows(query):
                found.setdefault(table, {})[int(sequence)] = run_id
        return found


class Warehouse(ABC):
    """What a loader must know about a warehouse."""

    program: ClassVar[str]  # in advice.yml
    # SQL: a whole number from a version's columns, equal where they are; and for DuckDB the same
    # from `record_key` and `content_hash` out of MongoDB.
    version_hash: ClassVar[str]
    version_hash_locally: ClassVar[str]
    identity: str  # names the warehouse, without any secret
    stamp = ""  # differs once something other than this program may have written there
    facts: Mapping[str, Any]  # for the sentences of advice.yml

    @abstractmethod
    def destination(self, *, writable: bool = True) -> Any:
        """The dlt destination."""

    @contextmanager
    def connect(self, *, writable: bool = False) -> Iterator[Connection]:
        """Open it; on DuckDB only this process may use it meanwhile."""
        dlt = _configured_dlt()
        with self.explained():
            destination = self.destination(writable=writable)
            client = dlt.dataset(destination, SCHEMA, dlt.Schema(SCHEMA)).sql_client
            client.open_connection()
        try:
            yield Connection(client, self)
        finally:
            with self.explained():
                client.close_connection()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of dlt and of the driver into `WarehouseError`."""
        try:
            yield
        except CollegesError:
            raise
        except Exception as error:
            cause = root_cause(error)
            text = str(getattr(cause, "failed_message", None) or cause)
            told = " ".join(text.split())[:500].rstrip(".")
            message = advice(self.program, text, told=told, **self.facts)
            raise WarehouseError(message) from error


def open_warehouse(
    settings: Settings,
    environ: Mapping[str, str] = os.environ,
    *,
    purpose: Literal["load", "read"] = "load",
) -> Warehouse:
    """The warehouse the settings name; nothing is opened yet.

    `purpose`: write `raw`, or read what dbt made of it; Snowflake may have a role for each. A
    SettingsError says which setting of Snowflake's is missing.
    """
    is_snowflake = settings.target == "snowflake"
    return Snowflake(environ, purpose) if is_snowflake else DuckDb(settings.warehouse_path)


class DuckDb(Warehouse):
    """A DuckDB file. One process at a time may write to it."""

    program = "duckdb"
    version_hash = "hash(record_key, content_hash, payload is null, is_withdrawn)"
    version_hash_locally = (
        "hash(record_key, content_hash, content_hash is null, content_hash is null)"
    )

    def __init__(self, path: Path) -> None:
        self.path, self.facts = path, {"path": path}
        self.identity = f"duckdb:{path}"

    @property
    def stamp(self) -> str:  # type: ignore[override]
        found = self.path.stat() if self.path.exists() else None
        return f"{found.st_mtime_ns}/{found.st_size}" if found else "no file"

    def destination(self, *, writable: bool = True) -> Any:
        import dlt
        from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

        if not writable and not self.path.exists():
            import duckdb

            return dlt.destinations.duckdb(credentials=duckdb.connect(":memory:"))
        # In file order rows load half as fast; by default DuckDB takes most of the memory.
        how: Any = {"preserve_insertion_order": False, "memory_limit": "1GB"}
        file = DuckDbCredentials(str(self.path), read_only=not writable, global_config=how)
        return dlt.destinations.duckdb(credentials=file)


_REQUIRED = ("ACCOUNT", "USER", "PRIVATE_KEY_PATH", "ROLE", "WAREHOUSE", "DATABASE")
_OF_A_FAKE = ("HOST", "PORT", "PROTOCOL")  # the account names the real host
_PLACEHOLDER = re.compile(r"|unset|<.*>|\.\.\.|x{3,}|change[-_ ]?me|(?:your|my)[-_ ].*", re.I)


class Snowflake(Warehouse):
    """A Snowflake database, signed in to by key pair."""

    program = "snowflake"
    version_hash = (
        "md5_number_lower64(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " iff(payload is null, '1', '0'), iff(is_withdrawn, '1', '0')))"
    )
    version_hash_locally = (
        "('0x' || substr(md5(concat(record_key, '|', coalesce(content_hash, ''), '|',"
        " if(content_hash is null, '11', '00'))), 17))::ubigint"
    )

    def __init__(self, environ: Mapping[str, str], purpose: Literal["load", "read"]) -> None:
        """Read `SNOWFLAKE_…`: the names above; to load, `LOADER_ROLE` goes before `ROLE`.

        Raises:
            SettingsError: one is missing or a placeholder, or others can read the key's file.
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
        where = f"{given['ACCOUNT']}/{given['DATABASE']}".lower()
        self.facts = given | {"PRIVATE_KEY_PATH": str(key), "where": where}
        self.identity = f"snowflake:{where}"

    def destination(self, *, writable: bool = True) -> Any:  # noqa: ARG002 - its role decides
        import dlt
        from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

        given = self.facts
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
        # Staged files are of no use after the load.
        return dlt.destinations.snowflake(credentials=credentials, keep_staged_files=False)


def _without_zone(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
