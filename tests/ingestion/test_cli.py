"""The command line as a process: what it prints where, how it ends, which places it refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingestion.errors import SettingsError
from ingestion.settings import Settings

HOST = "opendata.paris.fr"
ROWS = 60_000


def environment(home: Path) -> dict[str, str]:
    variables = os.environ | {"COLLEGES_HOME": str(home), "COLLEGES_ALERT_WEBHOOK": ""}
    variables.pop("MONGODB_URI", None)
    return variables


def start(home: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ingestion.cli", *arguments],
        env=environment(home), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # type: ignore[call-overload, no-any-return]  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portal state of one large dataset, so that a signal finds the pull and the load at work."""
    folder = tmp_path_factory.mktemp("state")
    target = folder / HOST / "arrondissements"
    target.mkdir(parents=True)
    metas = {"records_count": ROWS, "data_processed": "2026-01-01T00:00:00+00:00"}
    fields = [{"name": "c_ar", "type": "int"}]
    (target / "dataset.json").write_text(
        json.dumps({"metas": {"default": metas}, "fields": fields})
    )
    with (target / "records.jsonl").open("w") as file:
        file.writelines(f'{{"c_ar":{n},"l_ar":"{n}e Ardt"}}\n' for n in range(ROWS))
    return folder


RUN = ("run", "--no-build", "--dataset", "arrondissements", "--portal")


@pytest.mark.parametrize(
    ("number", "after_s"), [(signal.SIGINT, 3.5), (signal.SIGTERM, 2.5), (signal.SIGHUP, 1.8)]
)
def test_a_signal_ends_a_run_with_one_line(
    number: signal.Signals, after_s: float, state: Path, tmp_path: Path
) -> None:
    process = start(tmp_path / "home", *RUN, str(state))
    time.sleep(after_s)
    if process.poll() is not None:
        pytest.fail("the run was over before the signal: ROWS is too small for this machine")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert err.splitlines() == [
        f"The command was ended by {number.name}. Nothing half done counts."
    ]
    assert out == ""
    again = start(tmp_path / "home", *RUN, str(state), "--json")
    told = json.loads(again.communicate(timeout=240)[0])
    assert again.returncode == 0
    (result,) = told["runs"][0]["datasets"].values()
    assert result["rows_received"] == ROWS


def test_an_interrupted_pull_is_no_failure_and_no_alert(state: Path, tmp_path: Path) -> None:
    """What dlt would wrap into an exception of its own stays an interruption."""
    for number, after_s in enumerate((2, 1, 0.5)):  # sooner where the machine was slow to look
        home = tmp_path / f"home{number}"
        process = start(home, *RUN, str(state))
        while not (home / "mongodb").exists():
            time.sleep(0.1)
        time.sleep(after_s)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        if process.returncode:
            break
    assert process.returncode == 128 + signal.SIGTERM
    asked = start(home, "status", "--json")
    status = json.loads(asked.communicate(timeout=60)[0])
    assert status["running"] is None
    assert (status["last_run"] or {}).get("status") in (None, "interrupted", "finished")


def test_the_cursor_comes_back_after_ctrl_c_on_a_terminal(state: Path, tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-m", "ingestion.cli", *RUN, str(state)]
        os.execve(sys.executable, command, environment(tmp_path / "home"))
    shown, sent, deadline = b"", False, time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the process is gone
                break
        if not sent and b"\x1b[?25l" in shown:
            os.write(terminal, b"\x03")
            sent = True
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in shown


def test_off_a_terminal_nothing_is_drawn_and_json_is_json(state: Path, tmp_path: Path) -> None:
    process = start(tmp_path / "home", *RUN, str(state), "--json")
    out, err = process.communicate(timeout=240)
    assert json.loads(out)["exit_code"] == process.returncode == 0
    assert err == ""
    told = start(tmp_path / "home", *RUN, str(state))
    out, err = told.communicate(timeout=240)
    assert out.splitlines()[0] == "No record changed."
    assert "\x1b" not in out + err


def test_a_command_says_its_version_and_leaves_nothing_behind(tmp_path: Path) -> None:
    version = start(tmp_path / "home", "--version")
    assert version.communicate(timeout=60)[0].startswith("colleges, version ")
    status = start(tmp_path / "home", "status")
    assert status.communicate(timeout=60)[0].startswith("Nothing was loaded yet")
    assert not (tmp_path / "home").exists()


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ["'", '"', "%", "?", "*", "[", "{", ",", ":", ";", "\\", "\n"])
def test_a_home_that_a_library_would_read_as_syntax_is_refused(odd: str) -> None:
    with pytest.raises(SettingsError, match="COLLEGES_HOME: the path"):
        Settings.from_environment({"COLLEGES_HOME": f"/tmp/a{odd}b"})


def test_other_homes_are_taken() -> None:
    for name in ("données d été", "a#b+c@d", "x" * 200):
        assert Settings.from_environment({"COLLEGES_HOME": f"/tmp/{name}"}).home.name == name
    quoted = Settings.from_environment({"COLLEGES_HOME": '"~/colleges"'})
    assert quoted.home == Path.home() / "colleges"


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "file/below", "dangling", "x" * 400):
        settings = Settings.from_environment({"COLLEGES_HOME": str(tmp_path / name)})
        with pytest.raises(SettingsError, match="cannot be used"):
            settings.prepare_home()


def test_keys_follow_the_registrys_portals_and_quotes_are_taken_off() -> None:
    settings = Settings.from_environment(
        {
            "OPENDATA_PARIS_API_KEY": " k ",
            "EDUCATION_NATIONALE_API_KEY": "",
            "OTHER_API_KEY": "x",
            "MONGODB_URI": "'mongodb://host/'",
            "COLLEGES_TARGET": '"snowflake"',
        }
    )
    assert settings.api_keys == {"opendata_paris": SecretStr("k")}
    assert (settings.mongodb_uri, settings.target) == ("mongodb://host/", "snowflake")
    assert "mongodb" not in repr(settings)
    assert "'k'" not in repr(settings)


@pytest.mark.parametrize("key", ["a b", "a\r\nX-Evil: 1", "clé"])
def test_what_is_no_api_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="OPENDATA_PARIS_API_KEY must be printable") as caught:
        Settings.from_environment({"OPENDATA_PARIS_API_KEY": key})
    assert key not in str(caught.value)
