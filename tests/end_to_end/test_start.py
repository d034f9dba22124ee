"""Ctrl-C before the command line is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ingestion.settings import PROJECT_DIR

SLOW = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"


def test_ctrl_c_while_it_imports_is_one_line(tmp_path: Path) -> None:
    """A package that the command line imports takes its time, and the person loses patience."""
    (tmp_path / "click.py").write_text(SLOW, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(PROJECT_DIR)])
    done = subprocess.run(
        [sys.executable, "-c", "from ingestion.start import main; main()", "run"],
        env=os.environ | {"PYTHONPATH": path, "COLLEGES_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGINT
    assert (done.stdout, done.stderr) == ("", "The command was interrupted. Nothing had begun.\n")
    assert not (tmp_path / "home").exists()
