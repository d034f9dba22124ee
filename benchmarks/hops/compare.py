"""Both hops against what people use instead: the same records, the same server, in turns.

Every contender is a process of its own (``contenders.py``), measured whole: wall clock, processor
time, memory, and the database server's processor time beside it. One after the other, round after
round, so that what else goes on on the machine hits all of them.
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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import click
import duckdb
from pymongo import MongoClient

from benchmarks import measure
from benchmarks.hops.records import DATASET, write_state
from ingestion.document_store import VERSION_FIELDS
from ingestion.mongod import CACHE_GB, find_mongod

INGESTR = measure.PROJECT_DIR / ".venv-bench" / "bin" / "ingestr"
DRIVER = measure.PROJECT_DIR.joinpath(
    "benchmarks/duckdb/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"
)
TIMEOUT_S = 1800
OURS = "ours"

FIRST, AGAIN, CHANGED = "first load", "unchanged", "1 % changed"
PROJECT, BULK, NAIVE = "this project", "bulk `$set` upserts", "`update_one` each (slice)"
LOAD, INGESTR_LOAD, LIMIT = "this project", "ingestr 1.1.19", "drain and insert, nothing checked"
DICTS = "dlt from dictionaries (slice)"
RECONCILE = "this project, nothing new, with the comparison of both stores"
NOTHING = "this project, nothing new"
WHOLE = "this project from the portal, whole"
WHOLE_IDLE = "this project, the portal unchanged, whole"


@dataclass(frozen=True)
class Taken:
    """One process of one contender."""

    records: int
    wall_s: float
    work_s: float
    """Without start-up; in hop 1, what was spent on MongoDB alone."""
    cpu_s: float
    server_cpu_s: float
    peak_gib: float


Results = dict[tuple[int, str], list[Taken]]
"""(hop, name) → one a round."""


class MongoServer:
    """A mongod of this benchmark's own: without a password, for ingestr takes no unix socket, and
    with nothing but invented records."""

    def __init__(self, directory: Path) -> None:
        port = _free_port()
        self.uri = f"mongodb://127.0.0.1:{port}"
        directory.mkdir()
        self._process = subprocess.Popen(  # noqa: S603
            [
                find_mongod(),
                *("--dbpath", directory, "--logpath", directory / "mongod.log", "--quiet"),
                *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
                # As the embedded one has it.
                *("--wiredTigerCacheSizeGB", str(CACHE_GB)),
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

    @property
    def version(self) -> str:
        return str(self.client.server_info()["version"])

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
        [sys.executable, "-m", "ingestion.cli", "-q", "serve-portal", state, "--port", str(port)],
        stdout=subprocess.DEVNULL,
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
    """A server, two portal states of one size, and what was measured on them."""

    def __init__(self, work: Path, server: MongoServer, records: int) -> None:
        self.work = work / str(records)
        self.server = server
        self.records = records
        self.results: Results = defaultdict(list)
        self.work.mkdir()
        click.echo(f"writing {records:,} records, twice")
        self._states = [
            write_state(self.work / "first", records),
            write_state(self.work / "changed", records, changed_one_in=100),
        ]

    def round(self, number: int, *, hop_1: bool, rivals: bool, slice_: int) -> None:
        """Every contender once; without hop 1 the store is filled in the first round alone."""
        with portal(self._states[0]) as first, portal(self._states[1]) as changed:
            if hop_1 or not number:
                self._hop_1(first, again=hop_1, rivals=rivals and hop_1, slice_=slice_)
            self._hop_2(rivals=rivals, slice_=slice_)
            # Without hop 1 the records stay changed: every other round changes them back.
            other = first if number % 2 and not hop_1 else changed
            self._go(1, f"{PROJECT}, {CHANGED}", OURS, "write", "--portal", other)
            self._go(2, f"{LOAD}, {CHANGED}", OURS, "load", "--no-compare")
            self._go(2, NOTHING, OURS, "load", "--no-compare", "--no-append")
            if rivals and hop_1 and not number:
                self._drop("whole")
                self._go(1, f"{WHOLE}, {FIRST}", "whole", "extract", "--portal", first)
                self._go(1, WHOLE_IDLE, "whole", "extract", "--portal", first)
                self._drop("whole")

    def _hop_1(self, portal_url: str, *, again: bool, rivals: bool, slice_: int) -> None:
        source = ("--portal", portal_url)
        self._drop(OURS)
        self._go(1, f"{PROJECT}, {FIRST}", OURS, "write", *source)
        if again:
            self._go(1, f"{PROJECT}, {AGAIN}", OURS, "write", *source)
        if rivals:
            self._drop("rival")
            self._go(1, f"{BULK}, {FIRST}", "rival", "bulk", *source)
            self._go(1, f"{BULK}, {AGAIN}", "rival", "bulk", *source)
            self._drop("rival")
            sliced = ("--records", str(min(slice_, self.records)))
            self._go(1, f"{NAIVE}, {FIRST}", "rival", "naive", *source, *sliced)
            self._drop("rival")

    def _hop_2(self, *, rivals: bool, slice_: int) -> None:
        self._fresh_home()
        self._go(2, f"{LOAD}, {FIRST}", OURS, "load", "--no-compare")
        self._go(2, RECONCILE, OURS, "load", "--no-append")
        if rivals:
            self._fresh_home("rival")
            self._ingestr()
            self._fresh_home("rival")
            self._go(2, f"{LIMIT}, {FIRST}", OURS, "limit", home="rival")
            self._fresh_home("rival")
            sliced = ("--records", str(min(10 * slice_, self.records)))
            self._go(2, f"{DICTS}, {FIRST}", OURS, "dicts", *sliced, home="rival")
            self._fresh_home("rival")

    def _go(
        self, hop: int, name: str, database: str, contender: str, *options: str, home: str = OURS
    ) -> None:
        environment = os.environ | {
            "COLLEGES_HOME": str(self.work / home),
            "COLLEGES_TARGET": "duckdb",
            "MONGODB_URI": f"{self.server.uri}/{database}",
        }
        command = (sys.executable, "-m", "benchmarks.hops.contenders", contender, *options)
        self._measure(hop, name, command, environment)

    def _ingestr(self) -> None:
        """ingestr's fastest way that arrives whole: types told, appended; it insists on ``_id``."""
        if not INGESTR.exists() or not DRIVER.exists():
            return
        home = self.work / "rival"
        home.mkdir()
        (home / "duckdb.toml").write_text(
            f'manifest_version = 1\nname = "DuckDB"\nversion = "1"\n[Driver]\n'
            f'entrypoint = "duckdb_adbc_init"\nshared = "{DRIVER}"\n'
        )
        kinds = {"run_sequence": "bigint", "is_withdrawn": "boolean", "extracted_at": "timestamp"}
        types = {"_id": "binary"} | {name: kinds.get(name, "string") for name in VERSION_FIELDS}
        pipeline = json.dumps([{"$project": dict.fromkeys(types, 1)}])
        command: list[str | Path] = [
            *(INGESTR, "ingest", "--yes", "--progress", "log", "--no-load-timestamp"),
            *("--source-uri", f"{self.server.uri}/{OURS}"),
            *("--source-table", f"{OURS}.{DATASET.table}:{pipeline}"),
            *("--dest-uri", f"duckdb:///{home}/ingestr.duckdb", "--dest-table", "raw.versions"),
            *("--incremental-strategy", "append", "--no-inference"),
            *("--columns", ",".join(f"{name}:{kind}" for name, kind in types.items())),
        ]
        environment = os.environ | {
            "HOME": str(home),
            "ADBC_DRIVER_PATH": str(home),
            "INGESTR_DISABLE_TELEMETRY": "true",
            "DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
        }
        # It says nothing a program could read, and may end well without a row: count them.
        self._measure(2, f"{INGESTR_LOAD}, {FIRST}", command, environment)
        with duckdb.connect(home / "ingestr.duckdb") as warehouse:
            ((count,),) = warehouse.execute("select count(_id) from raw.versions").fetchall()
        if count < self.records:
            sys.exit(f"ingestr brought {count} of {self.records} records: not comparable")

    def _measure(
        self, hop: int, name: str, command: Sequence[str | Path], environment: dict[str, str]
    ) -> None:
        self.server.settle()
        before = self.server.cpu_s()
        taken = measure.run(command, environment, TIMEOUT_S)
        server_cpu_s = self.server.cpu_s() - before
        told = taken.output.split()
        is_ours = len(told) == 2
        self.results[hop, name].append(
            Taken(
                records=int(told[0]) if is_ours else self.records,
                wall_s=taken.wall_s,
                work_s=float(told[1]) if is_ours else taken.wall_s,
                cpu_s=taken.cpu_s,
                server_cpu_s=server_cpu_s,
                peak_gib=taken.peak_gib,
            )
        )
        click.echo(f"  hop {hop}, {name}: {taken.wall_s:.1f} s, processor {taken.cpu_s:.1f} s")

    def _drop(self, database: str) -> None:
        self.server.client.drop_database(database)

    def _fresh_home(self, home: str = OURS) -> None:
        shutil.rmtree(self.work / home, ignore_errors=True)


@click.command()
@click.option("--records", default=1_000_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--sizes", default="10000,100000", show_default=True,
    help="More, for the plot, which also keeps those of earlier runs.",
)  # fmt: skip
@click.option("--slice", "slice_", default=5_000, show_default=True, help="Of the slowest rivals.")
@click.option("--hop-2-only", is_flag=True, help="Compare hop 2 alone, on one filled store.")
@click.option("--out", default=measure.RESULTS / "hops", show_default=True, type=Path)
def main(records: int, rounds: int, sizes: str, slice_: int, hop_2_only: bool, out: Path) -> None:
    """Compare both hops with their rivals on invented records."""
    # Short, and where temporary files may be large.
    with (
        tempfile.TemporaryDirectory(prefix="colleges-bench-", dir="/var/tmp") as work,
        MongoServer(Path(work, "mongod")) as server,
    ):
        measured: dict[int, Results] = {}
        for size in sorted({*map(int, filter(None, sizes.split(","))), records}):
            is_main = size == records
            bench = Bench(Path(work), server, size)
            for number in range(rounds if is_main else 1):
                click.echo(f"{size:,} records, round {number + 1}")
                bench.round(number, hop_1=not hop_2_only, rivals=is_main, slice_=slice_)
                measured[size] = bench.results
                # After every round: what a long run has measured is not lost with it.
                _write(out, measured, records, server.version)
            shutil.rmtree(bench.work)
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))


def _write(out: Path, measured: dict[int, Results], records: int, mongod: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    figures = out.with_suffix(".json")
    # Sizes that an earlier run measured stay for the plot: the greatest takes longest by far.
    before = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else []
    now = [
        {"size": size, "hop": hop, "name": name, "rounds": [asdict(t) for t in taken]}
        for size, results in measured.items()
        for (hop, name), taken in results.items()
    ]
    kept = [entry for entry in before if entry["size"] not in measured]
    figures.write_text(json.dumps(kept + now, indent=1), encoding="utf-8")
    if records in measured:
        report = render(measured[records], records, mongod)
        out.with_suffix(".md").write_text(report, encoding="utf-8")


def render(results: Results, records: int, mongod: str) -> str:
    """The figures as Markdown."""
    busy = os.getloadavg()[0]
    lines = [
        f"# Both hops at {records:,} records, beside what people use instead",
        "",
        f"`make bench ONLY=hops`, {datetime.now(UTC):%Y-%m-%d}. {measure.machine()}, "
        f"DuckDB {duckdb.__version__}, mongod {mongod}, dlt {version('dlt')}, "
        f"pymongo {version('pymongo')}; load average {busy:.1f} at the end. "
        "Medians of the rounds, in brackets least and greatest; slices are scaled in the ratios. "
        "Processes of their own, taken in turns. `wall`: the whole process with its start-up. "
        "`on MongoDB`: what hop 1 does there, comparing included, without reading, parsing and "
        "hashing the export, which is the same for whatever is stored of it. `after start-up`: "
        "without interpreter and imports. Memory is the process's; mongod's is apart (cache "
        "0.5 GB).",
    ]
    for hop, what in ((1, "portal → MongoDB"), (2, "MongoDB → DuckDB")):
        work = "on MongoDB, s" if hop == 1 else "after start-up, s"
        lines += [
            "",
            f"## Hop {hop}: {what}",
            "",
            f"| | rounds | records | wall, s | {work} | per million records | processor, s "
            "| mongod's, s | peak, GiB |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for (of, name), taken in results.items():
            if of == hop:
                lines.append(_row(name, taken, records))
        if hop == 2 and (2, f"{INGESTR_LOAD}, {FIRST}") not in results:
            lines += ["", f"ingestr was skipped: there is no {_missing()}."]
    lines += [
        "",
        "## Ratios",
        "",
        "| | wanted | clock | ratio | processor, with mongod's |",
        "|---|--:|---|--:|--:|",
    ]
    for what, wanted, which, a, b in RATIOS:
        clock = _ratio(results, records, a, b, "wall_s" if which == _WHOLE else "work_s")
        processor = _ratio(results, records, a, b, "processor")
        lines.append(f"| {what} | {wanted} | {which} | {clock} | {processor} |")
    return "\n".join(lines) + "\n"


def _missing() -> str:
    missing = [path for path in (INGESTR, DRIVER) if not path.exists()]
    return ", no ".join(str(path.relative_to(measure.PROJECT_DIR)) for path in missing)


_OURS_1, _OURS_2 = (1, f"{PROJECT}, {FIRST}"), (2, f"{LOAD}, {FIRST}")
_AGAIN_1, _BULK_AGAIN = (1, f"{PROJECT}, {AGAIN}"), (1, f"{BULK}, {AGAIN}")
_BULK, _NAIVE = (1, f"{BULK}, {FIRST}"), (1, f"{NAIVE}, {FIRST}")
_CHANGED_1, _CHANGED_2 = (1, f"{PROJECT}, {CHANGED}"), (2, f"{LOAD}, {CHANGED}")
_INGESTR, _LIMIT = (2, f"{INGESTR_LOAD}, {FIRST}"), (2, f"{LIMIT}, {FIRST}")
_DICTS = (2, f"{DICTS}, {FIRST}")
_MONGODB, _AFTER, _WHOLE = "on MongoDB", "after start-up", "whole process"
RATIOS = (
    ("hop 1, first load: bulk ÷ this project", "≥ 3", _MONGODB, _BULK, _OURS_1),
    ("hop 1, first load: `update_one` ÷ this project, a record", "≥ 50", _MONGODB, _NAIVE, _OURS_1),
    ("hop 1, unchanged: bulk ÷ this project", "≥ 5", _MONGODB, _BULK_AGAIN, _AGAIN_1),
    ("hop 1, 1 % changed ÷ first load", "≤ 0.15", _MONGODB, _CHANGED_1, _OURS_1),
    ("hop 1, 1 % changed ÷ first load", "", _WHOLE, _CHANGED_1, _OURS_1),
    ("hop 2, first load: ingestr ÷ this project", "≥ 1.5", _WHOLE, _INGESTR, _OURS_2),
    (
        "hop 2, first load: dlt from dictionaries ÷ this project, a record",
        "",
        _WHOLE,
        _DICTS,
        _OURS_2,
    ),
    ("hop 2, first load: this project ÷ limit", "≤ 3", _WHOLE, _OURS_2, _LIMIT),
    ("hop 2, 1 % changed ÷ first load", "≤ 0.15", _AFTER, _CHANGED_2, _OURS_2),
    ("hop 2, 1 % changed ÷ first load", "", _WHOLE, _CHANGED_2, _OURS_2),
)
"""What is asked for: (what, bound, which clock, measured, divided by)."""


def _offered(name: str, taken: Taken, records: int) -> int:
    """How many records a contender looked at: of a slice, those of the slice."""
    return taken.records if "slice" in name else records


def _row(name: str, taken: Sequence[Taken], records: int) -> str:
    offered = _offered(name, taken[0], records)
    scaled = statistics.median(t.work_s for t in taken) * 1_000_000 / offered
    cells = (
        *(name, str(len(taken)), f"{offered:,}"),
        _median([t.wall_s for t in taken]),
        _median([t.work_s for t in taken]),
        f"{scaled:,.1f}",
        _median([t.cpu_s for t in taken]),
        _median([t.server_cpu_s for t in taken]),
        f"{max(t.peak_gib for t in taken):.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _median(values: Sequence[float]) -> str:
    spread = f" ({min(values):,.1f}–{max(values):,.1f})" if len(values) > 1 else ""
    return f"{statistics.median(values):,.1f}{spread}"


def _ratio(
    results: Results, records: int, a: tuple[int, str], b: tuple[int, str], what: str
) -> str:
    if a not in results or b not in results:
        return "skipped"

    def cost(key: tuple[int, str]) -> float:
        """Of a slice, as if it had been all."""
        taken = results[key]
        whole = records / _offered(key[1], taken[0], records)
        if what == "processor":
            return whole * statistics.median(t.cpu_s + t.server_cpu_s for t in taken)
        return whole * statistics.median(float(getattr(t, what)) for t in taken)

    return f"{cost(a) / cost(b):.2f}"


if __name__ == "__main__":
    main()
