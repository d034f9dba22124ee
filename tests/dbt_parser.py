"""dbt in a process of its own that parses a copy of the project again and again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from ingestion.settings import PROJECT_DIR
from tests.mutations.compiled import copy_parsed

PARSE = """
import gc, json, sys
gc.disable()
from dbt.cli.main import dbtRunner

options = json.loads(sys.argv[1])
for line in sys.stdin:
    result = dbtRunner().invoke(["--quiet", "parse", *options])
    print(json.dumps(str(result.exception or "" if not result.success else "")), flush=True)
"""


class Parser:
    """dbt in a process of its own that parses whenever it is told to."""

    def __init__(self, project: Path) -> None:
        options = [
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(project / "target"), "--log-path", str(project / "logs")),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARSE, json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=project,
        )  # fmt: skip

    def parse(self) -> str:
        """What dbt said went wrong; empty where nothing did."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("parse\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('"'):
                return str(json.loads(line))
        raise AssertionError("dbt ended")

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


def copy_of_project(target: Path) -> Path:
    """A copy of what dbt reads, parsed already, so that dbt looks at edits alone."""
    for name in ("models", "macros", "seeds", "snapshots", "tests/data"):
        shutil.copytree(PROJECT_DIR / name, target / name)
    for name in ("dbt_project.yml", "selectors.yml"):
        shutil.copy(PROJECT_DIR / name, target)
    copy_parsed(target)
    return target
