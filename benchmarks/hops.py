"""Both hops against what people use instead: the same records, the same server, in turns.

Every contender is a process of its own, measured whole: wall clock, processor time, memory, and the
database server's processor time beside it. Hop 1's are in ``contenders.py``; hop 2 is the command
``colleges load`` as everybody runs it, and the command of ingestr.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import click
import duckdb
from pymongo import MongoClient

from benchmarks import measure
from benchmarks.records import DATASET, write_state
from ingestion.store import VERSION_COLUMNS
from sandbox.mongod import find_mongod

INGESTR = measure.PROJECT_DIR / ".venv-bench" / "bin" / "ingestr"
DRIVER = measure.PROJECT_DIR.joinpath(
    "benchmarks/duckdb/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"
)
LOAD = ("-c", "from ingestion.start import main; main()", "load")
OURS, RIVAL = "ours", "rival"

PULL, PULL_SAME, PULL_CHANGED = (
    f"this project, {what}" for what in ("first load", "unchanged", "1 % changed")
)
BULK, BULK_SAME = "bulk `$set` upserts, first load", "bulk `$set` upserts, unchanged"
ONE, INSERT = "`update_one` each, first load", "limit: insert the lines, two writers, no check"
LOADED, LOADED_CHANGED, LOADED_NOTHING = (
    f"`colleges load`, {what}" for what in ("first load", "1 % changed", "nothing new")
)
INGESTED, DRAINED = "ingestr 1.1.21, first load", "limit: drain and insert, two readers, no check"
HOP_1 = (PULL, PULL_SAME, PULL_CHANGED, BULK, BULK_SAME, ONE, INSERT)
HOP_2 = (LOADED, LOADED_CHANGED, LOADED_NOTHING, INGESTED, DRAINED)

Taken = dict[str, float]
"""What one process took: ``records`` it was given, ``wall_s``, ``mongodb_s`` (hop 1), ``cpu_s``,
``server_cpu_s``, ``peak_gib``."""
Round = dict[str, Taken]
"""Contender → what it took."""


class MongoServer:
    """A mongod of this benchmark's own: on a port, for ingestr takes no unix socket."""

    def __init__(self, directory: Path) -> None:
        port = _free_port()
        self.uri = f"mongodb://127.0.0.1:{port}"
        directory.mkdir()
        self._process = subprocess.Popen(  # noqa: S603
            [
                find_mongod(),
                *("--dbpath", directory, "--logpath", directory / "mongod.log", "--quiet"),
                *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
                *("--wiredTigerCacheSizeGB", "0.5"),  # as the embedded one has it
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            ],
            stdout=subprocess.DEVNULL,
        )
        self.client = MongoClient[dict[str, Any]](self.uri, serverSelectionTimeoutMS=60_000)

    def __enter__(self) -> Self:
        self.client.admin.command("ping")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait(60)

    def settle(self) -> None:
        """Write out what is in memory, so that nobody pays for the one before."""
        self.client.admin.command("fsync")

    def cpu_s(self) -> float:
        """Processor time so far; 0 where there is no ``/proc``."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def portal(state: Path) -> Iterator[str]:
    """Serve a state from a process of its own; the base URL of ``DATASET``."""
    port = _free_port()
    process = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-c"),
            "import sys; from pathlib import Path; from sandbox.portal import serve_forever;"
            "serve_forever(Path(sys.argv[1]), port=int(sys.argv[2]))",
            *(state, str(port)),
        ],
        cwd=measure.PROJECT_DIR,
    )
    try:
        while True:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None:
                sys.exit("the replay portal did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/{DATASET.portal.host}"
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Bench:
    """A server, and the portal states of one size."""

    def __init__(self, work: Path, server: MongoServer, records: int, few: int) -> None:
        """``few``: what `update_one` gets, which takes a hundred times as long."""
        self.work = work / str(records)
        self.server = server
        self.records = records
        self.few = min(few, records)
        self.taken: Round = {}
        self.work.mkdir()
        click.echo(f"writing {records:,} records, twice")
        self._first = write_state(self.work / "first", records)
        self._changed = write_state(self.work / "changed", records, changed_one_in=100)
        self._few = write_state(self.work / "few", self.few)

    def round(self) -> Round:
        """Every contender once, each beside what it is compared with."""
        self.taken = {}
        shutil.rmtree(self.work / OURS, ignore_errors=True)
        with portal(self._first) as first, portal(self._changed) as changed:
            self._hop_1(PULL, "pull", first, afresh=OURS)
            self._hop_1(BULK, "bulk", first, afresh=RIVAL)
            self._hop_1(BULK_SAME, "bulk", first)
            self._hop_1(INSERT, "insert", first, afresh=RIVAL)
            self._hop_1(PULL_SAME, "pull", first)
            with portal(self._few) as few:
                self._hop_1(ONE, "one", few, afresh=RIVAL, records=self.few)
            self.server.client.drop_database(RIVAL)
            self._load(LOADED, self.records)
            self._rival(INGESTED, self._ingestr)
            self._rival(DRAINED, self._drain)
            self._load(LOADED_NOTHING, self.records)
            self._hop_1(PULL_CHANGED, "pull", changed)
            self._load(LOADED_CHANGED, self.records + -(-self.records // 100))
        return self.taken

    def _hop_1(
        self, name: str, contender: str, url: str, *, afresh: str = "", records: int = 0
    ) -> None:
        if afresh:
            self.server.client.drop_database(afresh)
        whose = OURS if contender == "pull" else RIVAL
        self._contender(name, contender, "--portal", url, whose=whose, records=records)
        database = self.server.client[whose]
        kept = DATASET.table if whose == OURS else "records"
        count = database[kept].estimated_document_count()
        expected = records or self.records
        expected += self.records // 100 if name == PULL_CHANGED else 0
        if count < expected:
            sys.exit(f"{name}: {count} documents where {expected} were expected")

    def _load(self, name: str, expected: int) -> None:
        """``colleges load``, counted and compared with MongoDB at its end as always."""
        self._measure(name, (sys.executable, *LOAD), self._environment(OURS))
        self._count(self.work / OURS / "warehouse.duckdb", f"raw.{DATASET.table}", expected)

    def _rival(self, name: str, go: Callable[[str], None]) -> None:
        shutil.rmtree(self.work / RIVAL, ignore_errors=True)
        (self.work / RIVAL).mkdir()
        go(name)

    def _drain(self, name: str) -> None:
        environment = self._environment(OURS) | {"COLLEGES_HOME": str(self.work / RIVAL)}
        self._contender(name, "drain", environment=environment)
        self._count(self.work / RIVAL / "warehouse.duckdb", "drained", self.records)

    def _ingestr(self, name: str) -> None:
        """ingestr's fastest way that arrives whole: types told, appended, from the very collection
        that `colleges load` reads; fields without a type are left out. A projection is no faster.
        """
        if not INGESTR.exists() or not DRIVER.exists():
            return
        kinds = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
        home = self.work / RIVAL
        (home / "duckdb.toml").write_text(
            f'manifest_version = 1\nname = "DuckDB"\nversion = "1"\n[Driver]\n'
            f'entrypoint = "duckdb_adbc_init"\nshared = "{DRIVER}"\n'
        )
        said = {"text": "string", "bool": "boolean"}
        types = {"_id": "bigint"} | {name: said.get(kind, kind) for name, kind in kinds.items()}
        command = (
            *(INGESTR, "ingest", "--yes", "--progress", "log", "--no-load-timestamp"),
            *("--source-uri", f"{self.server.uri}/{OURS}"),
            *("--source-table", f"{OURS}.{DATASET.table}"),
            *("--dest-uri", f"duckdb:///{home}/ingestr.duckdb", "--dest-table", "raw.versions"),
            *("--incremental-strategy", "append", "--no-inference"),
            *("--columns", ",".join(f"{name}:{kind}" for name, kind in types.items())),
        )
        quiet = {"INGESTR_DISABLE_TELEMETRY": "true", "DISABLE_TELEMETRY": "true"}
        places = {"HOME": str(home), "ADBC_DRIVER_PATH": str(home), "DO_NOT_TRACK": "1"}
        self._measure(name, command, os.environ | quiet | places)
        # It may end well without a row.
        self._count(home / "ingestr.duckdb", "raw.versions", self.records)

    def _environment(self, whose: str) -> dict[str, str]:
        return os.environ | {
            "COLLEGES_HOME": str(self.work / whose),
            "COLLEGES_TARGET": "duckdb",
            "MONGODB_URI": f"{self.server.uri}/{whose}",
        }

    def _contender(
        self, name: str, *arguments: str, whose: str = OURS, records: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        command = (sys.executable, "-m", "benchmarks.contenders", *arguments)
        said = self._measure(name, command, environment or self._environment(whose), records)
        self.taken[name]["mongodb_s"] = float(said)

    def _measure(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str],
        records: int = 0,
    ) -> str:  # fmt: skip
        self.server.settle()
        before = self.server.cpu_s()
        taken = measure.run(command, environment)
        self.taken[name] = {
            "records": records or self.records,
            "wall_s": taken.wall_s,
            "cpu_s": taken.cpu_s,
            "server_cpu_s": self.server.cpu_s() - before,
            "peak_gib": taken.peak_gib,
        }
        click.echo(f"  {name}: {taken.wall_s:.1f} s, processor {taken.cpu_s:.1f} s")
        return taken.output

    def _count(self, warehouse: Path, table: str, expected: int) -> None:
        with duckdb.connect(warehouse, read_only=True) as connection:
            ((count,),) = connection.execute(f"select count(*) from {table}").fetchall()  # noqa: S608
        if count != expected:
            sys.exit(f"{table} holds {count} rows, not {expected}: not comparable")


@click.command()
@click.option(
    "--sizes", default="300000,1000000", show_default=True, help="Numbers of records."
)  # fmt: skip
@click.option("--rounds", default=3, show_default=True)
@click.option("--few", default=5_000, show_default=True, help="Records for `update_one`.")
@click.option("--again", is_flag=True, help="Forget the rounds of this commit measured before.")
@click.option("--out", default=measure.RESULTS / "hops", show_default=True, type=Path)
def main(sizes: str, rounds: int, few: int, again: bool, out: Path) -> None:
    """Compare both hops with their rivals on invented records.

    What is measured is kept after each round: called again, it goes on with the rounds that are
    missing at this commit.
    """
    figures = out.with_suffix(".json")
    out.parent.mkdir(parents=True, exist_ok=True)
    measured: dict[str, Any] = {}
    if figures.exists() and not again:
        measured = json.loads(figures.read_text(encoding="utf-8"))
    if measured.get("commit") != _commit():
        measured = {"commit": _commit(), "sizes": {}}
    # Short, and where temporary files may be large.
    with (
        tempfile.TemporaryDirectory(prefix="colleges-bench-", dir="/var/tmp") as work,
        MongoServer(Path(work, "mongod")) as server,
    ):
        measured["mongod"] = str(server.client.server_info()["version"])
        for size in sorted({int(size) for size in sizes.split(",")}):
            done = measured["sizes"].setdefault(str(size), [])
            if len(done) >= rounds:
                continue
            bench = Bench(Path(work), server, size, few)
            while len(done) < rounds:
                click.echo(f"{size:,} records, round {len(done) + 1}")
                done.append(bench.round())
                measured["at"] = f"{datetime.now(UTC):%Y-%m-%d}"
                measured["load_average"] = round(os.getloadavg()[0], 1)
                figures.write_text(json.dumps(measured, indent=1), encoding="utf-8")
                out.with_suffix(".md").write_text(render(measured), encoding="utf-8")
            server.client.drop_database(OURS)
            shutil.rmtree(bench.work)
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))


def _commit() -> str:
    """What is measured: the commit, and whether the tree differs from it."""
    command = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    return subprocess.check_output(command, text=True, cwd=measure.PROJECT_DIR).strip()  # noqa: S603


# -- the report ------------------------------------------------------------------------------------

_WHOLE, _MONGODB, _BEYOND = "whole process", "on MongoDB", "beyond a load of nothing"
RATIOS = (
    ("hop 1, first load: bulk ÷ this project", BULK, PULL, {_WHOLE: "≥ 1.5", _MONGODB: "≥ 3"}),
    ("hop 1, unchanged: bulk ÷ this project", BULK_SAME, PULL_SAME,
     {_WHOLE: "≥ 2", _MONGODB: "≥ 5"}),
    ("hop 1: 1 % changed ÷ first load", PULL_CHANGED, PULL, {_WHOLE: "", _MONGODB: "≤ 0.2"}),
    ("hop 1, first load: `update_one` ÷ this project, a record", ONE, PULL,
     {_WHOLE: "", _MONGODB: ""}),
    ("hop 1, first load: this project ÷ limit", PULL, INSERT, {_WHOLE: ""}),
    ("hop 2, first load: ingestr ÷ this project", INGESTED, LOADED,
     {_WHOLE: "≥ 1.4; ≥ 1 at 300,000"}),
    ("hop 2, first load: this project ÷ limit", LOADED, DRAINED, {_WHOLE: "≤ 2"}),
    ("hop 2: 1 % changed ÷ first load", LOADED_CHANGED, LOADED, {_WHOLE: "", _BEYOND: "≤ 0.15"}),
)  # fmt: skip
"""What is asked for: (what, measured, divided by, clock → bound)."""


def render(measured: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    sizes: dict[str, list[Round]] = measured["sizes"]
    lines = [
        "# Both hops beside what people use instead",
        "",
        f"`make bench ONLY=hops`, {measured['at']}, at {measured['commit']}. {measure.machine()}, "
        f"DuckDB {duckdb.__version__}, mongod {measured['mongod']}, dlt {version('dlt')}, pymongo "
        f"{version('pymongo')}; load average {measured['load_average']} at the end. Medians of the "
        "rounds, in brackets least and greatest. Processes of their own, taken in turns.",
        "",
        "`whole`: from the start of the process to its end. In hop 1 that includes the pull from "
        "the portal, by the same client for all, which counts the rows. `on MongoDB`: while a call "
        "to MongoDB is under way, for this project with the comparison of what is held. Memory is "
        "that of the processes; mongod's is apart (cache 0.5 GB). Each `limit` leaves out what "
        "makes the hop safe: the lines as they are, no key, no hash, no version, no ledger; it is "
        "the least that Python can do with this project's libraries, and ingestr is compiled. "
        "In hop 2 all read the same collection, in which each version holds its record twice: as "
        "text, which is loaded, and as a document, which is skipped.",
    ]
    for size, rounds in sizes.items():
        for hop, names in ((1, HOP_1), (2, HOP_2)):
            lines += [
                "",
                f"## Hop {hop}, {int(size):,} records, {len(rounds)} round(s)",
                "",
                "| | records | whole, s | on MongoDB, s | processor, s | mongod's, s | peak, GiB |",
                "|---|--:|--:|--:|--:|--:|--:|",
                *(_row(name, rounds) for name in names if name in rounds[0]),
            ]
        if INGESTED not in rounds[0]:
            lines += ["", "ingestr was skipped: `.venv-bench` or its DuckDB driver is missing."]
    lines += ["", "## Ratios", ""]
    lines.append("| | clock | wanted | " + " | ".join(f"{int(size):,}" for size in sizes) + " |")
    lines.append("|---|---|--:|" + "--:|" * len(sizes))
    for what, above, below, clocks in RATIOS:
        for clock, wanted in clocks.items():
            ratios = " | ".join(_ratio(rounds, above, below, clock) for rounds in sizes.values())
            lines.append(f"| {what} | {clock} | {wanted} | {ratios} |")
    return "\n".join(lines) + "\n"


def _row(name: str, rounds: Sequence[Round]) -> str:
    taken = [round_[name] for round_ in rounds]
    cells = [name, f"{taken[0]['records']:,}"]
    for column in ("wall_s", "mongodb_s", "cpu_s", "server_cpu_s"):
        # The drain has no clock of its own, nor has hop 2.
        values = [one[column] for one in taken if one.get(column)]
        spread = f" ({min(values):,.1f}–{max(values):,.1f})" if len(values) > 1 else ""
        cells.append(f"{statistics.median(values):,.1f}{spread}" if values else "")
    return f"| {' | '.join(cells)} | {max(one['peak_gib'] for one in taken):.2f} |"


def _ratio(rounds: Sequence[Round], above: str, below: str, clock: str) -> str:
    if above not in rounds[0] or below not in rounds[0]:
        return "skipped"

    def cost(name: str) -> float:
        column = "mongodb_s" if clock == _MONGODB else "wall_s"
        of = statistics.median(round_[name][column] for round_ in rounds)
        if clock == _BEYOND:
            of -= statistics.median(round_[LOADED_NOTHING][column] for round_ in rounds)
        return of / rounds[0][name]["records"]

    return f"{cost(above) / cost(below):.2f}"


if __name__ == "__main__":
    main()
