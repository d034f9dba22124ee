"""`make snowflake-check`: the whole pipeline on a Snowflake account, held against DuckDB.

Loads recorded portal states, or else the synthetic sample, into an empty database of the account
and into a DuckDB file, builds both, and compares every mart row by row after each state. Runs the
last state again, which must ask the account nothing. Drops every schema it made, also after a
failure. Needs the SNOWFLAKE_ settings of docs/snowflake.md and the database COLLEGES_CHECK (or the
one SNOWFLAKE_CHECK_DATABASE names), which deploy/snowflake_setup.sql makes.

usage: python -m tests.snowflake.check [DIRECTORY OF A RECORDED PORTAL STATE]...
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingestion.errors import CollegesError, ReconciliationError, SettingsError
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse
from tests.marts import build_marts
from tests.programs import programs
from tests.snowflake.compare import differences, read_tables

COMMAND_TIMEOUT_S = 1800
OURS = frozenset({"raw", "staging", "intermediate", "snapshots", "marts", "reference"})


@dataclass(frozen=True)
class TwoWarehouses:
    """One ``COLLEGES_HOME``, loaded and built into Snowflake and into DuckDB."""

    home: Path
    environ: Mapping[str, str]
    """With the SNOWFLAKE_ settings."""

    def colleges(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line, by default on Snowflake; the caller looks at the outcome."""
        return self._run("ingestion.cli", *arguments, **environ)

    def dbt(
        self, *arguments: str, project: Path = PROJECT_DIR, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt."""
        return self._run("ingestion.dbt", *arguments, "--project-dir", project, **environ)

    def _run(
        self, module: str, *arguments: str | Path, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        target = environ.get("COLLEGES_TARGET", "snowflake")
        profiles = self.home / "profiles"
        profiles.mkdir(exist_ok=True)
        shutil.copy(PROJECT_DIR / "profiles.example.yml", profiles / "profiles.yml")
        environment = {
            **os.environ,
            **self.environ,
            "COLLEGES_TARGET": target,
            "COLLEGES_HOME": str(self.home),
            "DBT_PROFILES_DIR": str(profiles),
            # Partial parsing is of one target.
            "DBT_TARGET_PATH": str(self.home / f"target-{target}"),
            "DBT_LOG_PATH": str(self.home / "logs"),
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
            **environ,
        }
        environment.pop("MONGODB_URI", None)
        words = ["-m", module, *map(str, arguments)]
        return programs.run(words, environment, timeout_s=COMMAND_TIMEOUT_S)

    def build_duckdb(self) -> None:
        """Load the DuckDB file from the same MongoDB and make the marts in it."""
        succeed(self.colleges("load", COLLEGES_TARGET="duckdb"))
        build_marts(self.home / "warehouse.duckdb")

    def snowflake(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask Snowflake."""
        settings = Settings(home=self.home, target="snowflake")
        with open_warehouse(settings, self.environ, purpose="read").connect() as connection:
            return connection.rows(sql)

    def duckdb(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask DuckDB."""
        with closing(duckdb.connect(self.home / "warehouse.duckdb", read_only=True)) as connection:
            return connection.execute(sql).fetchall()

    def differences(self) -> list[str]:
        """What the two hold differently; the first is DuckDB."""
        settings = Settings(home=self.home, target="snowflake")
        with open_warehouse(settings, self.environ, purpose="read").connect() as connection:
            return differences(read_tables(self.duckdb), read_tables(connection.rows))

    def schemas(self) -> set[str]:
        """Those of ours that are in the Snowflake database."""
        rows = self.snowflake("select lower(schema_name) from information_schema.schemata")
        return {name for (name,) in rows} & OURS

    def drop(self) -> None:
        """Drop our schemas on Snowflake."""
        settings = Settings(home=self.home, target="snowflake")
        with open_warehouse(settings, self.environ, purpose="read").connect() as connection:
            for schema in sorted(OURS):
                connection.rows(f"drop schema if exists {schema} cascade")


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """The output of a command that must have succeeded."""
    if done.returncode:
        raise ReconciliationError(
            f"{' '.join(done.args[2:])} ended with {done.returncode}:\n"
            f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


def check(
    states: list[Path],
    environ: Mapping[str, str],
    say: Callable[[str], None],
    *,
    builds_each: bool = True,
) -> None:
    """The check of the module's description.

    Args:
        states: recorded portal states in their order; none: the synthetic sample.
        environ: the SNOWFLAKE_ settings.
        say: called with a line at each step.
        builds_each: build and compare after each state, or after the last alone.

    Raises:
        SettingsError: a setting is missing, or the database is in use.
        ReconciliationError: a command failed, or the marts differ.
        WarehouseError: the account refused something.
    """
    database = environ.get("SNOWFLAKE_CHECK_DATABASE") or "COLLEGES_CHECK"
    # One role for all of it: what it makes, it may drop.
    settings = {**environ, "SNOWFLAKE_DATABASE": database, "SNOWFLAKE_LOADER_ROLE": ""}
    with tempfile.TemporaryDirectory(prefix="colleges-check-", dir="/tmp") as directory:
        both = TwoWarehouses(Path(directory), settings)
        if found := both.schemas():
            raise SettingsError(
                f"Database {database} already holds {', '.join(sorted(found))}. The check drops "
                "what it makes and so wants a database of its own: see docs/snowflake.md."
            )
        try:
            if not states:
                sample = succeed(both.colleges("sample", "--out", both.home / "sample"))
                states = [Path(line) for line in sample.splitlines()]
            for group in [[state] for state in states] if builds_each else [states]:
                named = ", ".join(map(str, group))
                say(f"{named}: load and build on Snowflake, then on DuckDB")
                succeed(both.colleges("run", *(w for state in group for w in ("--portal", state))))
                both.build_duckdb()
                if found_ := both.differences():
                    raise ReconciliationError("The two warehouses differ. " + "\n".join(found_))
                say("  equal in every mart, snapshot and seed")
            again = json.loads(succeed(both.colleges("run", "--json", "--portal", states[-1])))
            if again["is_built"] or any(load["rows_appended"] for load in again["loads"]):
                raise ReconciliationError("The same state again was loaded or built anew.")
            say("the same state again: nothing loaded, nothing built")
        finally:
            both.drop()
            say(f"dropped what was made in {database}")


def main() -> int:
    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        check([Path(name) for name in sys.argv[1:]], os.environ, say)
    except CollegesError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
