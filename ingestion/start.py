"""The command `colleges` from its first moment: Ctrl-C during the imports is one line, too."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Import the command line and run it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGINT, _end)
    # A record holds no cycle. Looking for cycles after every 700 new objects, as Python does, would
    # take a quarter of a pull's processor time.
    gc.set_threshold(100_000)
    from ingestion.cli import main as command

    command(prog_name="colleges")


def _end(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's
    sys.stderr.write("The command was interrupted. Nothing had begun.\n")
    sys.stderr.flush()
    os._exit(128 + number)
