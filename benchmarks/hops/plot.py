"""Draw what both hops cost against the number of records: ``results/hops.json`` → ``hops.svg``.

Runs in ``.venv-bench``, which has matplotlib and not this project.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
matplotlib.rcParams["svg.hashsalt"] = "colleges"  # the same figures, the same file
from matplotlib import pyplot as plt  # noqa: E402

RESULTS = Path(__file__).parents[1] / "results" / "hops.json"
TITLES = {1: "Hop 1: portal → MongoDB", 2: "Hop 2: MongoDB → DuckDB"}


def main(source: Path = RESULTS) -> None:
    """Seconds of processor time and peak memory by size, for what was measured at several."""
    measured = json.loads(source.read_text(encoding="utf-8"))
    names = {(entry["hop"], entry["name"]) for entry in measured}
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), sharex=True, layout="constrained")
    for hop, name in sorted(names):
        taken = {
            entry["size"]: entry["rounds"]
            for entry in measured
            if (entry["hop"], entry["name"]) == (hop, name)
        }
        if len(taken) < 2:
            continue
        processor, memory = axes[0][hop - 1], axes[1][hop - 1]
        ordered = sorted(taken)
        processor.plot(
            ordered,
            [
                statistics.median(t["cpu_s"] + t["server_cpu_s"] for t in taken[size])
                for size in ordered
            ],
            marker="o",
            label=name.removeprefix("this project, "),
        )
        memory.plot(ordered, [max(t["peak_gib"] for t in taken[size]) for size in ordered], "o-")
    for hop, title in TITLES.items():
        processor, memory = axes[0][hop - 1], axes[1][hop - 1]
        processor.set(title=title, xscale="log", yscale="log", ylabel="processor s, with mongod's")
        processor.legend(fontsize="small")
        memory.set(xscale="log", xlabel="records", ylabel="peak memory, GiB", ylim=(0, None))
        for axis in (processor, memory):
            axis.grid(alpha=0.3)
    figure.savefig(source.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
