"""What a process takes: wall clock, processor time, memory; and where that was measured."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[1]
RESULTS = PROJECT_DIR / "benchmarks" / "results"
GIB = 2**30
SAMPLE_EVERY_S = 0.05
NOT_COUNTED = frozenset({"mongod"})
"""Programs whose memory is no part of a process's own: the database server."""


@dataclass(frozen=True)
class Command:
    """What one process took, with all it started."""

    wall_s: float
    cpu_s: float
    peak_gib: float
    """Resident memory of the process and its children at one moment, without mongod; where there
    is no ``/proc``, of the largest single one of them."""
    output: str = field(default="", repr=False)


def run(
    command: Sequence[str | Path], environment: Mapping[str, str], timeout: float = 1800
) -> Command:
    """Run to the end and measure.

    Raises:
        SystemExit: it failed, and the end of its output was shown, or it took longer than
            ``timeout`` seconds.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT_DIR, env=environment, stdout=output, stderr=errors
        ) as process,
    ):
        started = time.perf_counter()
        try:
            while process.returncode is None:
                if time.perf_counter() - started > timeout:
                    sys.exit(f"{command[0]} …: stopped after {timeout} s")
                peak = max(peak, _resident(process.pid))
                pid, status, used = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                else:
                    time.sleep(SAMPLE_EVERY_S)
        except BaseException:
            process.kill()
            raise
        wall_s = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        told = output.read().decode(errors="replace")
        if process.returncode:
            sys.stderr.write(told[-2000:] + errors.read().decode(errors="replace")[-4000:])
            sys.exit(f"{' '.join(map(str, command[:6]))} …: exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # bytes on macOS, KiB elsewhere
    largest = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Command(
        wall_s=wall_s,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # A child begins as a copy of its parent, whose size is then in `ru_maxrss`.
        peak_gib=(peak or largest) / GIB,
        output=told,
    )


def _resident(pid: int) -> int:
    """Bytes of a process and of all below it; 0 where that cannot be told."""
    try:
        process = Path(f"/proc/{pid}")
        if (process / "comm").read_text().strip() in NOT_COUNTED:
            return 0
        pages = int((process / "statm").read_text().split()[1])
        children = [
            int(child)
            for task in (process / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, ValueError, IndexError):  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(_resident, children))


def machine() -> str:
    """What it was measured on, without a name or a path."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
