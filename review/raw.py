"""The raw data that both sides are built from, each loaded by its own code where that differs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import duckdb

from review.findings import RawChange
from review.processes import ReviewError, environment, run

LOADING_CODE = ("ingestion", "sandbox")
"""Folders whose code loads the sample."""
LOCK = "requirements/base.txt"
KEPT = 4
"""Loaded samples that are kept for the next review."""


def loads_alike(base: Path, project: Path) -> bool:
    """Whether both sides load the same raw data: same code, same dependencies."""
    return _digest(base) == _digest(project)


def interpreter(base: Path, project: Path, cache: Path) -> str:
    """Python with the base's dependencies: this one where they are the same.

    Raises:
        ReviewError: they cannot be installed.
    """
    lock = base / LOCK
    if not lock.exists() or lock.read_bytes() == (project / LOCK).read_bytes():
        return sys.executable
    home = cache / f"env-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        install = ["-m", "pip", "install", "--quiet"]
        command = [str(python), *install]
        if uv := shutil.which("uv"):
            command = [uv, "pip", "install", "--quiet", "--python", str(python)]
        lines = ["--no-deps", "--require-hashes", "-r", str(lock)]
        for step in ([sys.executable, "-m", "venv", str(home)], [*command, *lines]):
            done = run(step, cache, environment())
            if done.returncode:
                raise ReviewError(
                    f"The base's dependencies ({LOCK}) differ and could not be installed:\n"
                    f"{done.stderr[-3000:]}"
                )
        (home / "ready").touch()
    return str(python)


def load_sample(project: Path, cache: Path, python: str = sys.executable) -> Path:
    """A DuckDB file with the synthetic sample in ``raw``; loaded once per state of the code.

    Raises:
        ReviewError: the working tree's own code cannot load its sample.
    """
    loaded = cache / f"raw-{_digest(project)}.duckdb"
    if loaded.exists():
        return loaded
    # A short path: mongod's socket lies below it.
    with tempfile.TemporaryDirectory(prefix="colleges-review-") as folder:
        home = Path(folder)
        settings = environment(COLLEGES_HOME=folder, COLLEGES_TARGET="duckdb")
        colleges = (python, "-m", "ingestion.cli")
        states = home / "sample"
        for arguments in (("sample", "--out", str(states)), ("run", "--no-build")):
            portals = [
                word
                for state in (sorted(states.iterdir()) if arguments[0] == "run" else ())
                for word in ("--portal", str(state))
            ]
            done = run((*colleges, *arguments, *portals), project, settings)
            if done.returncode:
                raise ReviewError(
                    f"The synthetic sample could not be loaded (colleges {arguments[0]}, exit "
                    f"{done.returncode}), so there is no data to build from:\n{done.stderr[-3000:]}"
                )
        cache.mkdir(parents=True, exist_ok=True)
        stored = sorted(cache.glob("raw-*.duckdb"), key=lambda file: file.stat().st_mtime)
        for old in stored[: -(KEPT - 1)]:
            old.unlink()
        shutil.move(home / "warehouse.duckdb", loaded)
    return loaded


def put_raw(source: Path, warehouse: Path) -> None:
    """Make ``raw`` of ``warehouse`` that of ``source``; whatever else it holds stays.

    Raises:
        ReviewError: the source has no raw data.
    """
    with duckdb.connect(str(warehouse)) as connection:
        # Quoted, not written into the statement as it is: a path is data.
        connection.execute(f"attach {_literal(str(source))} as given (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'given' and schema_name = 'raw'"
        ).fetchall()
        connection.execute("drop schema if exists raw cascade")
        connection.execute("create schema raw")
        for (table,) in tables:
            name = _quoted(table)
            connection.execute(f"create table raw.{name} as from given.raw.{name}")
        connection.execute("detach given")
    if not tables:
        raise ReviewError(
            f"{source} has no tables in a schema raw: there is nothing to build from."
        )


def compare_raw(base: Path, pr: Path) -> list[RawChange]:
    """Raw tables with other records on the two sides, by key and content; bookkeeping left out."""
    with duckdb.connect() as connection:
        columns: dict[str, dict[str, list[str]]] = {}
        for side, file in (("base", base), ("pr", pr)):
            connection.execute(f"attach {_literal(str(file))} as {side} (read_only)")
            for table, column in connection.execute(
                "select table_name, column_name from duckdb_columns() "
                "where database_name = ? and schema_name = 'raw'",
                [side],
            ).fetchall():
                if not table.startswith("_"):
                    columns.setdefault(table, {}).setdefault(side, []).append(column)
        found = [_compare_table(connection, table, sides) for table, sides in columns.items()]
    return sorted(
        (change for change in found if change.lost or change.added), key=lambda c: c.table
    )


def _compare_table(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, list[str]]
) -> RawChange:
    """Compared on record, content and whether it is withdrawn: run ids and times always differ."""

    def rows(side: str) -> str:
        return f"{side}.raw.{_quoted(table)}"

    def count(query: str) -> int:
        ((number,),) = connection.execute(f"select count(*) from ({query})").fetchall()  # noqa: S608
        return int(number)

    totals = {
        side: count(f"from {rows(side)}") if side in columns else 0 for side in ("base", "pr")
    }
    if len(columns) == 1:
        return RawChange(table, totals["base"], totals["pr"], totals["base"], totals["pr"])
    wanted = ("record_key", "content_hash", "is_withdrawn")
    names = [n for n in wanted if n in columns["base"] and n in columns["pr"]]
    shown = ", ".join(names or ["*"])
    base, pr = (f"select {shown} from {rows(side)}" for side in ("base", "pr"))  # noqa: S608
    return RawChange(
        table,
        totals["base"],
        totals["pr"],
        count(f"{base} except all {pr}"),
        count(f"{pr} except all {base}"),
    )


def _digest(project: Path) -> str:
    """Of the code and the dependencies that load raw data."""
    digest = sha256()
    files = [file for folder in LOADING_CODE for file in (project / folder).rglob("*")]
    for file in [*sorted(files), project / LOCK]:
        if file.is_file() and file.suffix in {".py", ".yml", ".txt"}:
            digest.update(f"\0{file.relative_to(project)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
