"""How the dbt build grows: the synthetic sample at several scales, the whole way, timed per model.

Run as ``make bench ONLY=models``. Scale N is N cities side by side, 115 collèges each, four
extractions over time. Each scale gets a home of its own; the sample, the pull and the load go
through ``colleges``, as for anybody. What is measured is ``dbt build`` as a whole (wall clock,
processor time, peak memory of the process, which holds DuckDB) and, from dbt's own artifact, every
model.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
import duckdb

from benchmarks import measure

COUNTED = {
    "versions in raw": "staging.stg_record_versions",
    "collèges": "marts.dim_college",
    "collège × school year": "marts.fct_college_school_year",
    "pairs": "marts.fct_college_distance",
}
SHOWN_MODELS = 20


@dataclass(frozen=True)
class Scale:
    """One scale, measured; times in seconds, of the builds the median."""

    cities: int
    rows: dict[str, int]
    ingest: measure.Command
    builds: tuple[measure.Command, ...]
    nodes: dict[str, float]
    """dbt's own execution time by node (``model.x``, ``test.y``), median over the builds."""
    warehouse_gib: float

    @property
    def build(self) -> measure.Command:
        return measure.Command(
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
@click.option(
    "--out", default=measure.RESULTS / "models", show_default=True, type=click.Path(path_type=Path)
)
def main(scales: str, rounds: int, work: Path | None, timeout: int, out: Path) -> None:
    """Time the dbt build on the synthetic sample at several scales."""
    kept = work is not None
    parent = work or Path(tempfile.mkdtemp(prefix="colleges-bench-"))
    measured = []
    try:
        for cities in sorted(int(scale) for scale in scales.split(",")):
            measured.append(time_build(parent / f"scale{cities}", cities, rounds, timeout))
            click.echo(_summary(measured[-1]))
    finally:
        if not kept:
            shutil.rmtree(parent, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    report = render(measured)
    out.with_suffix(".md").write_text(report, encoding="utf-8")
    out.with_suffix(".json").write_text(
        json.dumps(
            {"machine": measure.machine(), "scales": [asdict(s) for s in measured]}, indent=1
        ),
        encoding="utf-8",
    )
    click.echo(report)


def time_build(home: Path, cities: int, rounds: int, timeout: int) -> Scale:
    """Invent, load and build one scale in ``home``, which a second call takes as it finds it."""
    colleges = (sys.executable, "-m", "ingestion.cli")
    environment = os.environ | {"COLLEGES_HOME": str(home), "COLLEGES_TARGET": "duckdb"}
    environment.pop("MONGODB_URI", None)
    warehouse = home / "warehouse.duckdb"
    states = home / "sample"
    ingest = measure.Command(0, 0, 0)
    if not warehouse.exists():
        home.mkdir(parents=True)
        measure.run(
            (*colleges, "sample", "--scale", str(cities), "--out", str(states)), environment, 600
        )
        portals = [word for state in sorted(states.iterdir()) for word in ("--portal", str(state))]
        ingest = measure.run((*colleges, "run", "--no-build", *portals), environment, timeout)
        shutil.rmtree(states)
    dbt = (
        *(sys.executable, "-m", "ingestion.dbt", "build", "--quiet"),
        *("--project-dir", str(measure.PROJECT_DIR), "--profiles-dir", str(measure.PROJECT_DIR)),
        *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
    )
    builds = []
    nodes = defaultdict(list)
    for _ in range(rounds):
        builds.append(measure.run(dbt, environment, timeout))
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
        warehouse_gib=warehouse.stat().st_size / measure.GIB,
    )


def render(scales: Sequence[Scale]) -> str:
    """The figures as Markdown."""
    header = "| | " + " | ".join(f"scale {scale.cities}" for scale in scales)
    lines = [
        "# dbt build against the number of collèges",
        "",
        f"`make bench ONLY=models`, {datetime.now(UTC):%Y-%m-%d}. {measure.machine()}, dbt-core "
        f"{version('dbt-core')}, DuckDB {duckdb.__version__}. "
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


if __name__ == "__main__":
    main()
