"""The comparison of both hops runs to its end and leaves nobody out; nothing is timed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import hops
from ingestion.settings import PROJECT_DIR


def test_every_contender_is_measured_and_nothing_is_measured_twice(tmp_path: Path) -> None:
    def bench() -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.hops", "--sizes", "800"),
                *("--rounds", "1", "--few", "50", "--out", tmp_path / "hops"),
            ],
            cwd=PROJECT_DIR,
            check=True,
            timeout=280,
            capture_output=True,
            text=True,
        )
        return done.stdout

    bench()
    table = (tmp_path / "hops.md").read_text(encoding="utf-8")
    (taken,) = json.loads((tmp_path / "hops.json").read_text(encoding="utf-8"))["sizes"]["800"]
    expected = {*hops.HOP_1, *hops.HOP_2}
    if not hops.INGESTR.exists():
        expected.remove(hops.INGESTED)
        assert "ingestr was skipped" in table
    assert set(taken) == expected
    for name in expected:
        assert taken[name]["wall_s"] > 0
        assert f"| {name} |" in table
    for name in hops.HOP_1:
        assert 0 < taken[name]["mongodb_s"] < taken[name]["wall_s"]
    assert "round" not in bench().partition("#")[0]
