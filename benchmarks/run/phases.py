"""Where each second of ``make run`` goes: a first run and one where the portals had nothing new.

Run as ``make bench ONLY=run``, or with a recorded state: ``BENCH_ARGS='--portal DIR'``. Each run is
a home of its own; the files it reads are warm, for a first round is thrown away.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks import measure

COLLEGES = (sys.executable, "-m", "ingestion.cli")
PHASES = {
    "start": "start mongod, take the lock",
    "pull": "pull",
    "load": "load",
    "reconcile": "reconcile",
    "dbt start": "dbt: start-up, parse, plan",
    "dbt nodes": "dbt: its nodes",
    "stop": "Python's start-up; stop mongod, report, exit",
    "whole": "**whole**",
}
FIRST, AGAIN = "first run", "again, nothing new at the portals"
TIMEOUT_S = 1800


@click.command()
@click.option("--portal", type=Path, help="A recorded state; default: the newest of the sample.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--out", default=measure.RESULTS / "run.md", show_default=True, type=Path)
def main(portal: Path | None, rounds: int, out: Path) -> None:
    """Time the phases of a run."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    peak = 0.0
    with tempfile.TemporaryDirectory(prefix="colleges-bench-", dir="/var/tmp") as work:
        state = portal
        if state is None:
            sample = (*COLLEGES, "sample", "--out", f"{work}/sample")
            measure.run(sample, os.environ, TIMEOUT_S)
            state = max(Path(work, "sample").iterdir())
        for number in range(rounds + 1):
            for which in (FIRST, AGAIN):
                seconds, gib = _run(Path(work, str(number)), state.resolve())
                click.echo(f"round {number}, {which}: {seconds['whole']:.1f} s")
                if number:
                    peak = max(peak, gib)
                    for phase, value in seconds.items():
                        taken[which, phase].append(value)
    what = "a recorded state of the portals" if portal else "the newest state of the sample"
    lines = [
        "# Where each second of a run goes",
        "",
        f"`make bench ONLY=run`, {datetime.now(UTC):%Y-%m-%d}, on {what}. {measure.machine()}, "
        f"dbt-core {version('dbt-core')}; load average {os.getloadavg()[0]:.1f} at the end. Wall "
        f"seconds, medians of {rounds} round(s) after one to warm up, in brackets least and "
        f"greatest. Peak memory without mongod {peak:.2f} GiB.",
        "",
        f"| | {FIRST} | {AGAIN} |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {heading} | {_median(taken[FIRST, phase])} | {_median(taken[AGAIN, phase])} |"
        for phase, heading in PHASES.items()
    ]
    lines += ["", *_imports()]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    click.echo(out.read_text(encoding="utf-8"))


def _run(home: Path, state: Path) -> tuple[dict[str, float], float]:
    """One run: phase → seconds, and the peak of its memory."""
    environment = os.environ | {
        "COLLEGES_HOME": str(home),
        "COLLEGES_TARGET": "duckdb",
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }
    environment.pop("MONGODB_URI", None)
    command = (*COLLEGES, "run", "--json", "--portal", str(state))
    done = measure.run(command, environment, TIMEOUT_S)
    told = json.loads(done.output)["seconds"]
    seconds = {name: told.get(name, 0.0) for name in ("start", "pull", "load", "reconcile")}
    built = told.get("dbt build", 0.0)  # nothing changed, nothing built
    nodes = 0.0
    if built:
        nodes = json.loads((home / "target" / "run_results.json").read_text())["elapsed_time"]
    seconds |= {
        "dbt start": built - nodes,
        "dbt nodes": nodes,
        "whole": done.wall_s,
        "stop": done.wall_s - sum(told.values()),
    }
    return seconds, done.peak_gib


def _imports() -> list[str]:
    """What the modules of a command cost to import, of one process each."""
    lines = ["Imports, ms, as `python -X importtime` counts them:", "", "| | |", "|---|--:|"]
    for name, modules in {
        "`colleges --help`": "ingestion.cli",
        "what every run needs": "ingestion.pipeline",
        "and to look at a portal": "ingestion.pipeline, ingestion.portal",
        "dlt, only where there is something to pull or to load": "dlt",
    }.items():
        costs = []
        for _ in range(3):
            told = subprocess.run(  # noqa: S603
                (sys.executable, "-X", "importtime", "-c", f"import {modules}"),
                capture_output=True, text=True, check=True, timeout=60, cwd=measure.PROJECT_DIR,
            ).stderr  # fmt: skip
            costs.append(sum(map(int, re.findall(r"import time:\s+(\d+) \|", told))) / 1000)
        lines.append(f"| {name} | {_median(costs)} |")
    return lines


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f}–{max(values):,.1f})"


if __name__ == "__main__":
    main()
