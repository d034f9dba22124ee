"""How the dbt build grows: the synthetic sample at several scales, the whole way, timed per model.

Run as ``python benchmarks/models/scale.py --scales 1,10,100`` in the project's environment. Scale N
is N cities side by side, 115 collèges each, four extractions over time. Each scale gets a home of
its own; the sample, the pull and the load go through ``colleges``, as for anybody. What is measured
is ``dbt build`` as a whole (wall clock, processor time, peak memory of the process, which holds
DuckDB) and, from dbt's own artifact, every model.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
import duckdb

PROJECT_DIR = Path(__file__).resolve().parents[2]
RESULTS = PROJECT_DIR / "benchmarks" / "results" / "models"
COUNTED = {
    "versions in raw": "staging.stg_record_versions",
    "collèges": "marts.dim_college",
    "collège × school year": "marts.fct_college_school_year",
    "pairs": "marts.fct_college_distance",
}
SHOWN_MODELS = 20
GIB = 2**30


@dataclass(frozen=True)
class Command:
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_gib: float
    """Largest resident memory of the process or of one it waited for."""


@dataclass(frozen=True)
class Scale:
    """One scale, measured; times in seconds, of the builds the median."""

    cities: int
    rows: dict[str, int]
    ingest: Command
    builds: tuple[Command, ...]
    nodes: dict[str, float]
    """dbt's own execution time by node (``model.x``, ``test.y``), median over the builds."""
    warehouse_gib: float

    @property
    def build(self) -> Command:
        return Command(
            wall_s=statistics.median(build.wall_s for build in self.builds),
            cpu_s=statistics.median(build.cpu_s for build in self.builds),
            peak_gib=max(build.peak_gib for build in self.builds),
        )

    def seconds(self, kind: str) -> float:
        """Sum over the nodes of a kind: ``model``, ``test``, ``unit_test``, ``seed``, …"""
        return sum(s for node, s in self.nodes.items() if node.startswith(f"{kind}."))


@click.command()
@click.option("--scales", default="1,10,100", show_default=True, help="Cities, by comma.")
@click.option("--rounds", default=1, show_default=True, help="Builds of each scale.")
@click.option("--work", type=click.Path(path_type=Path), help="Where homes go, to be kept.")
@click.option("--timeout", default=1800, show_default=True, help="Seconds for one process.")
@click.option("--out", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(scales: str, rounds: int, work: Path | None, timeout: int, out: Path) -> None:
    """Time the dbt build on the synthetic sample at several scales."""
    kept = work is not None
    parent = work or Path(tempfile.mkdtemp(prefix="colleges-bench-"))
    measured = []
    try:
        for cities in sorted(int(scale) for scale in scales.split(",")):
            measured.append(measure(parent / f"scale{cities}", cities, rounds, timeout))
            click.echo(_summary(measured[-1]))
    finally:
        if not kept:
            shutil.rmtree(parent, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    report = render(measured)
    out.with_suffix(".md").write_text(report, encoding="utf-8")
    out.with_suffix(".json").write_text(
        json.dumps({"machine": machine(), "scales": [asdict(s) for s in measured]}, indent=1),
        encoding="utf-8",
    )
    click.echo(report)


def measure(home: Path, cities: int, rounds: int, timeout: int) -> Scale:
    """Invent, load and build one scale in ``home``, which a second call takes as it finds it."""
    colleges = (sys.executable, "-m", "ingestion.cli", "--quiet")
    environment = os.environ | {"COLLEGES_HOME": str(home), "COLLEGES_TARGET": "duckdb"}
    environment.pop("MONGODB_URI", None)
    warehouse = home / "warehouse.duckdb"
    states = home / "sample"
    ingest = Command(0, 0, 0)
    if not warehouse.exists():
        home.mkdir(parents=True)
        _run((*colleges, "sample", "--scale", str(cities), "--out", str(states)), environment, 600)
        portals = [word for state in sorted(states.iterdir()) for word in ("--portal", str(state))]
        ingest = _run((*colleges, "run", "--no-build", *portals), environment, timeout)
        shutil.rmtree(states)
    dbt = (
        *(sys.executable, "-m", "dbt.cli.main", "build", "--quiet"),
        *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
        *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
    )
    builds = []
    nodes = defaultdict(list)
    for _ in range(rounds):
        builds.append(_run(dbt, environment, timeout))
        results = json.loads((home / "target" / "run_results.json").read_text(encoding="utf-8"))
        for result in results["results"]:
            kind, _, name = result["unique_id"].split(".", 2)
            nodes[f"{kind}.{name}"].append(result["execution_time"])
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = {}
        for name, table in COUNTED.items():
            ((rows[name],),) = connection.execute(
                f"select count(*) from {table}"  # noqa: S608
            ).fetchall()
    return Scale(
        cities=cities,
        rows=rows,
        ingest=ingest,
        builds=tuple(builds),
        nodes={node: statistics.median(times) for node, times in nodes.items()},
        warehouse_gib=warehouse.stat().st_size / GIB,
    )


def _run(command: Sequence[str], environment: dict[str, str], timeout: int) -> Command:
    """Run to the end and measure.

    Raises:
        SystemExit: it failed, and the end of its output was shown, or it took longer than
            ``timeout`` seconds.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT_DIR, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        while process.returncode is None:
            if time.perf_counter() - started > timeout:
                process.kill()
                sys.exit(f"{' '.join(command)}: stopped after {timeout} s")
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.05)
        if process.returncode:
            output.seek(0)
            click.echo(output.read()[-4000:], err=True)
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Command(
        wall_s=time.perf_counter() - started,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # bytes on macOS, KiB elsewhere
        peak_gib=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / GIB,
    )


def render(scales: Sequence[Scale]) -> str:
    """The figures as Markdown."""
    header = "| | " + " | ".join(f"scale {scale.cities}" for scale in scales)
    lines = [
        "# dbt build against the number of collèges",
        "",
        f"`python benchmarks/models/scale.py`, {datetime.now(UTC):%Y-%m-%d}. {machine()}. "
        f"{len(scales[0].builds)} build(s) of each scale; medians, peak memory the largest.",
        "",
        f"{header} | last ÷ one before |",
        "|---|" + "--:|" * (len(scales) + 1),
    ]
    for name in COUNTED:
        lines.append(_row(name, [float(scale.rows[name]) for scale in scales], "{:,.0f}"))
    for name, values, form in (
        ("**dbt build, wall s**", [s.build.wall_s for s in scales], "{:,.1f}"),
        ("dbt build, processor s", [s.build.cpu_s for s in scales], "{:,.1f}"),
        ("dbt build, peak GiB", [s.build.peak_gib for s in scales], "{:,.2f}"),
        ("of it models, s", [s.seconds("model") for s in scales], "{:,.1f}"),
        ("of it data tests, s", [s.seconds("test") for s in scales], "{:,.1f}"),
        ("of it unit tests, s", [s.seconds("unit_test") for s in scales], "{:,.1f}"),
        ("warehouse, GiB", [s.warehouse_gib for s in scales], "{:,.3f}"),
        ("extract, load, reconcile, wall s", [s.ingest.wall_s for s in scales], "{:,.1f}"),
    ):
        if any(values):
            lines.append(_row(name, values, form))
    lines += [
        "",
        f"The {SHOWN_MODELS} models that take longest at the largest scale, seconds:",
        "",
        f"{header} | last ÷ one before |",
        "|---|" + "--:|" * (len(scales) + 1),
    ]
    largest = scales[-1].nodes
    models = sorted((n for n in largest if n.startswith("model.")), key=lambda n: -largest[n])
    for node in models[:SHOWN_MODELS]:
        lines.append(
            _row(
                f"`{node.removeprefix('model.')}`",
                [scale.nodes.get(node, 0.0) for scale in scales],
                "{:,.2f}",
            )
        )
    return "\n".join(lines) + "\n"


def _row(name: str, values: Sequence[float], form: str) -> str:
    cells = [form.format(value) if value else "" for value in values]
    grown = len(values) > 1 and values[-2] > 0
    cells.append(f"{values[-1] / values[-2]:.1f}" if grown else "")
    return f"| {name} | " + " | ".join(cells) + " |"


def _summary(scale: Scale) -> str:
    build = scale.build
    return (
        f"scale {scale.cities}: build {build.wall_s:.0f} s, processor {build.cpu_s:.0f} s,"
        f" peak {build.peak_gib:.2f} GiB"
    )


def machine() -> str:
    """Where and with what this was measured."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}, dbt-core {version('dbt-core')}, "
        f"DuckDB {duckdb.__version__}"
    )


if __name__ == "__main__":
    main()
