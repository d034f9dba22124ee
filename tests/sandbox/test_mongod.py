"""The embedded mongod: shared, gone with its last user, and clear about what is wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from ingestion.errors import StoreError
from sandbox import mongod as module
from sandbox.mongod import embedded, find_mongod

PROJECT = Path(module.__file__).parents[1]
# Enters, says so, leaves when told to.
USER = """
import sys
from pathlib import Path
from sandbox.mongod import embedded
with embedded(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.readline()
print("left", flush=True)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a path short enough for a socket inside it."""
    path = Path(tempfile.mkdtemp(prefix="colleges-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def user() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts another process that uses a home's server, and waits until it does."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, *, wait: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert not wait or said(process) == "in"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert said(process) == "left"


def mongod_pid(home: Path) -> int:
    return int((home / "mongodb" / "data" / "mongod.lock").read_text())


def runs(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not runs(pid)


def insert(uri: str, number: int) -> int:
    """Write one document; how many there are now."""
    with MongoClient[dict[str, int]](uri, serverSelectionTimeoutMS=500, journal=True) as client:
        client["x"]["things"].insert_one({"_id": number})
        return client["x"]["things"].count_documents({})


def test_keeps_what_it_acknowledged_and_ends_with_its_user(home: Path) -> None:
    with embedded(home) as uri:
        first = mongod_pid(home)
        assert insert(uri, 1) == 1
    assert not runs(first)
    with embedded(home) as uri:
        assert insert(uri, 2) == 2


def test_listens_on_no_port_and_lets_no_other_user_in(home: Path) -> None:
    with embedded(home):
        pid = mongod_pid(home)
        sockets = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                sockets.add(str(link.readlink()))
        listening = {
            f"socket:[{line.split()[9]}]"
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        }
        assert sockets
        assert not sockets & listening
        assert (home / "mongodb" / "mongod.sock").is_socket()
    assert stat.S_IMODE((home / "mongodb").stat().st_mode) == 0o700


def test_is_shared_and_ends_with_the_last_of_its_users(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    starter = user(home)
    pid = mongod_pid(home)
    other = user(home)
    leave(starter)
    with embedded(home) as uri:
        assert mongod_pid(home) == pid
        assert insert(uri, 1) == 1
    time.sleep(0.5)
    assert runs(pid)
    leave(other)
    assert not runs(pid)


def test_two_that_start_at_once_share_one_server(
    home: Path, user: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [user(home, wait=False), user(home, wait=False)]
    assert [said(one) for one in both] == ["in", "in"]


def test_outlives_a_starter_that_is_killed_and_ends_with_a_joiner_that_is(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    starter, joiner = user(home), user(home)
    pid = mongod_pid(home)
    starter.kill()
    time.sleep(0.5)
    assert runs(pid)
    joiner.kill()
    assert ends_within(pid, 10)


def test_a_run_that_comes_while_the_server_stops_gets_one_that_stays(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = user(home)
    process.kill()
    process.wait()
    with embedded(home) as uri:  # at once: it joins the running one or waits for its end
        assert insert(uri, 1) == 1
        time.sleep(0.5)
        assert insert(uri, 2) == 2


def test_ctrl_c_is_for_the_run_alone(home: Path) -> None:
    program = """
import sys
from pathlib import Path
from sandbox.mongod import embedded
from pymongo import MongoClient
with embedded(Path(sys.argv[1])) as uri:
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        print(MongoClient(uri)["x"]["runs"].insert_one({"_id": "interrupted"}).inserted_id)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(home)], cwd=PROJECT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert said(process) == "ready"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert said(process) == "interrupted"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_mongod_that_is_killed_says_so_and_comes_back(home: Path) -> None:
    def write_to_a_dead_server() -> None:
        with embedded(home) as uri:
            insert(uri, 1)
            pid = mongod_pid(home)
            os.kill(pid, signal.SIGKILL)
            assert ends_within(pid, 5)
            insert(uri, 2)

    with pytest.raises(StoreError, match=r"The embedded MongoDB has stopped(.|\n)*mongod\.log"):
        write_to_a_dead_server()
    with embedded(home) as uri:
        assert insert(uri, 3) == 2


def test_an_error_of_the_run_stays_what_it_is(home: Path) -> None:
    with pytest.raises(ValueError, match="of the run"), embedded(home):
        raise ValueError("of the run")


@pytest.mark.parametrize("name", ["long" * 30, "o'clock, 100%41 a:b?c=d é ~", "run 1"])
def test_any_home_has_a_socket(name: str, home: Path) -> None:
    before = set(Path("/tmp").glob("colleges-[0-9]*"))
    with embedded(home / name) as uri:
        assert insert(uri, 1) == 1
        (private,) = set(Path("/tmp").glob("colleges-[0-9]*")) - before
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not private.exists()


def test_a_socket_folder_that_others_can_enter_is_refused(home: Path) -> None:
    planted = module._socket_path(home / "a b" / "mongodb").parent
    planted.chmod(0o777)
    try:
        with pytest.raises(StoreError, match="not a private folder"), embedded(home / "a b"):
            pass
    finally:
        planted.rmdir()


# -- what can go wrong -----------------------------------------------------------------------------


def test_no_mongod_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StoreError, match=r"MONGODB_URI(.|\n)*mongod.*wheel"):
        find_mongod()


def test_elsewhere_than_on_linux(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(StoreError, match="MONGODB_URI"), embedded(home):
        pass


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("\x7fELF\x01 of another machine", "does not run on this machine"),
        ("#!/bin/sh\necho 'mongod: error while loading shared libraries: libcrypto.so.3'\nexit 127",
         "OpenSSL 3"),
        ("#!/bin/sh\nkill -ILL $$", "AVX"),
        ("#!/bin/sh\necho 'No space left on device'\nexit 1", "free some space"),
        ("#!/bin/sh\nexit 3", "log says why not"),
        ("#!/bin/sh\nexec sleep 60", "in time"),
    ],
)  # fmt: skip
def test_a_mongod_that_cannot_run(
    program: str, message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "bin").mkdir()
    (home / "bin" / "mongod").write_text(program)
    (home / "bin" / "mongod").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(home / "bin"), prepend=os.pathsep)
        with pytest.raises(StoreError, match=message), embedded(home, timeout_s=1):
            pass
    with embedded(home) as uri:  # nothing of it is in the way
        assert insert(uri, 1) == 1


def test_damaged_files(home: Path) -> None:
    with embedded(home):
        pass
    (home / "mongodb" / "data" / "WiredTiger.turtle").write_text("not a turtle")
    with pytest.raises(StoreError, match=r"damaged(.|\n)*WiredTiger"), embedded(home):
        pass


def test_files_in_use_by_another_mongod(home: Path) -> None:
    (home / "mongodb" / "data").mkdir(parents=True)
    foreign = subprocess.Popen(
        [find_mongod(), "--dbpath", home / "mongodb" / "data", "--bind_ip", home / "foreign.sock",
         "--nounixsocket", "--logpath", home / "foreign.log"],
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not (home / "foreign.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(StoreError, match="another program"), embedded(home):
            pass
        assert foreign.poll() is None
    finally:
        foreign.terminate()
        foreign.wait(30)


@pytest.mark.parametrize("what", ["file", "below a file", "dangling link", "loop", "long name"])
def test_a_home_that_cannot_be_used(what: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("/proc/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    homes = {
        "file": "file", "below a file": "file/home", "dangling link": "dangling", "loop": "loop",
        "long name": "x" * 400,
    }  # fmt: skip
    with pytest.raises(StoreError, match="COLLEGES_HOME"), embedded(tmp_path / homes[what]):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk(home: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", home]).returncode:
        pytest.skip("cannot mount a tmpfs here")

    def fill() -> None:
        with embedded(home) as uri, MongoClient[dict[str, object]](uri) as client:
            for number in range(1000):
                client["x"]["things"].insert_one({"_id": number, "noise": os.urandom(2**20)})

    try:
        with pytest.raises(StoreError, match=r"has stopped. The disk .* is full"):
            fill()
        with pytest.raises(StoreError, match=r"did not start. The disk .* is full"):
            fill()
        subprocess.run(["mount", "-o", "remount,size=500m", home], check=True)
        with embedded(home) as uri, MongoClient[dict[str, object]](uri) as client:
            assert client["x"]["things"].count_documents({}) > 0
    finally:
        subprocess.run(["umount", home], check=True)
