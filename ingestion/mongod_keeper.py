"""Runs one mongod for as long as some process uses it, then stops it.

A process of its own (see `ingestion.mongod`), so that the server ends however its users end,
``kill -9`` included, and does not end with the first of them to leave. Standard library only.

Usage: ``python mongod_keeper.py USERS_LOCK SERVER_LOCK_FD STOP_TIMEOUT_S MONGOD ARGUMENT...``
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

POLL_S = 0.2


def main(users_lock: str, server_lock_fd: str, stop_timeout_s: str, *command: str) -> int:
    """Start ``command``, which inherits the server lock; return its exit code once it ended.

    Every user of the server holds ``USERS_LOCK`` shared, and the kernel lets go of it when the
    user dies: holding it alone means that nobody is left. It stays held until mongod has ended,
    so nobody can come to a server that is stopping.
    """
    users = os.open(users_lock, os.O_RDWR)
    server_lock = int(server_lock_fd)
    try:
        mongod = subprocess.Popen(  # noqa: S603 — the command `EmbeddedMongod` made, no shell
            command, pass_fds=(server_lock,), stdin=subprocess.DEVNULL
        )
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error}\n")
        return 126
    os.close(server_lock)
    while mongod.poll() is None:
        time.sleep(POLL_S)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        mongod.terminate()
        try:
            mongod.wait(float(stop_timeout_s))
        except subprocess.TimeoutExpired:
            mongod.kill()
            mongod.wait()
    # A shell's way to say "ended by a signal": an exit code cannot be negative.
    return mongod.returncode if mongod.returncode >= 0 else 128 - mongod.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
