"""The comparison of both hops runs to its end and leaves nobody out; nothing is timed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.hops import compare
from ingestion.settings import PROJECT_DIR


def test_every_contender_is_in_the_table(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.hops.compare", "--records", "800"),
            *("--rounds", "1", "--sizes", "", "--slice", "50", "--out", tmp_path / "hops"),
        ],
        cwd=PROJECT_DIR,
        check=True,
        timeout=280,
        capture_output=True,
    )
    table = (tmp_path / "hops.md").read_text(encoding="utf-8")
    measured = json.loads((tmp_path / "hops.json").read_text(encoding="utf-8"))
    taken = {(entry["hop"], entry["name"]): entry["rounds"][0] for entry in measured}
    for _, _, _, *compared in compare.RATIOS:
        for hop, name in compared:
            if name.startswith(compare.INGESTR_LOAD) and not compare.INGESTR.exists():
                assert "ingestr was skipped" in table
            else:
                assert taken[hop, name]["wall_s"] > 0
                assert f"| {name} | 1 |" in table
    assert {
        name: taken[1, f"{compare.PROJECT}, {name}"]["records"]
        for name in (compare.FIRST, compare.AGAIN, compare.CHANGED)
    } == {compare.FIRST: 800, compare.AGAIN: 0, compare.CHANGED: 8}
    assert taken[2, f"{compare.LOAD}, {compare.FIRST}"]["records"] == 800
    assert taken[2, f"{compare.LOAD}, {compare.CHANGED}"]["records"] == 8
    assert taken[2, compare.NOTHING]["records"] == 0
