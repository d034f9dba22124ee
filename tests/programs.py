"""dbt and the command line in processes of their own, without the seconds that starting them takes.

A server that has both imported forks a child for each command. The child has its own environment,
folder, arguments, output and exit code, as a process started from a shell; what it does not do anew
is import. What happens while a program starts is tested where it is really started.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ingestion.settings import PROJECT_DIR

PARSED = "partial_parse.msgpack"


class Programs:
    """The server, started when it is first asked and ended with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        folder: Path = PROJECT_DIR,
        timeout_s: float = 900,
    ) -> subprocess.CompletedProcess[str]:
        """`python ARGUMENTS` (`-m MODULE …` or `SCRIPT …`), whatever comes of it.

        Raises:
            subprocess.TimeoutExpired: it did not end within ``timeout_s`` seconds and was killed.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.programs"],
                cwd=PROJECT_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            atexit.register(self._process.kill)
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory(prefix="colleges-program-") as told:
            job = {
                "arguments": list(arguments), "environ": dict(environ), "folder": str(folder),
                "told": told, "timeout_s": timeout_s,
            }  # fmt: skip
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            returncode = json.loads(self._process.stdout.readline())
            output, errors = (
                Path(told, name).read_text(encoding="utf-8", errors="replace")
                for name in ("stdout", "stderr")
            )
        command = [sys.executable, *arguments]
        if returncode is None:
            raise subprocess.TimeoutExpired(command, timeout_s, output, errors)
        return subprocess.CompletedProcess(command, returncode, output, errors)


programs = Programs()
"""That of this process."""


class OneHome:
    """One path that stands for whichever home is worked on, so that dbt parses the project once.

    dbt parses everything anew where the path of the DuckDB file is another: 14 s of processor,
    where it takes 3 s to see that nothing changed.
    """

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="colleges-home-", dir="/tmp"))  # short, for sockets
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._link = folder / "home"
        self._parsed = folder / PARSED

    def environ(self, home: Path, target: Path) -> dict[str, str]:
        """What makes a program work on that home on DuckDB, and dbt write to ``target``."""
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(home)
        if self._parsed.exists() and not (target / PARSED).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._parsed, target)
        return {
            "COLLEGES_HOME": str(self._link),
            "COLLEGES_TARGET": "duckdb",
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(home / "dbt-logs"),
        }

    def keep(self, target: Path) -> None:
        """Keep what dbt parsed for the homes to come."""
        if not self._parsed.exists() and (target / PARSED).exists():
            shutil.copy(target / PARSED, self._parsed)


@cache
def one_home() -> OneHome:
    """That of this process."""
    return OneHome()


def _child(job: Mapping[str, Any]) -> int:
    """Become the program; its exit code."""
    os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["folder"])
    first, *rest = job["arguments"]
    if first == "-P":
        first, *rest = rest
    try:
        if first == "-m":
            module, *rest = rest
            sys.argv = [module, *rest]
            if module == "ingestion.cli":  # imported already, which runpy would warn of
                from ingestion.cli import main

                main(prog_name="colleges")
            else:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *rest]
            runpy.run_path(first, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201 - as Python itself does
        return 1
    except BaseException:  # noqa: BLE001 - whatever it is, the caller looks at it
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    import signal

    import dbt.adapters.duckdb
    import dbt.cli.main
    import dbt.task.build  # noqa: F401

    import ingestion.cli
    import ingestion.load
    import ingestion.pipeline  # noqa: F401

    gc.freeze()  # or each child's collector touches, and so copies, all that was imported
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            for number, name in ((1, "stdout"), (2, "stderr")):
                file = os.open(Path(job["told"], name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(file, number)
            code = 1
            with contextlib.suppress(BaseException):
                code = _child(job)
            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()  # what a program registers, it expects to be called
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            os._exit(code)
        # Nothing else is to be done meanwhile: the alarm alone can interrupt the wait.
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))  # noqa: B023
        signal.setitimer(signal.ITIMER_REAL, job["timeout_s"])
        _, status = os.waitpid(child, 0)
        is_late = signal.setitimer(signal.ITIMER_REAL, 0)[0] == 0
        answer = None if is_late else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
