"""The replay portal over real sockets, with an ordinary HTTP client."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ingestion.errors import SettingsError
from ingestion.registry import registry
from sandbox.portal import ReplayPortal
from tests.faulty_portal import Fault, FaultyPortal

HOST = "portal.example"
CATALOG = "/api/explore/v2.1/catalog/datasets/"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "portal"

# Odd spacing, an escape, an exponent: what a re-encoding server would not give back as it is.
LINES = [
    b'{"code": "075", "nature": 340, "name": "A", "point": {"lon": 2.30, "lat": 4.8e1}}\n',
    b'{"code":"075","nature":350,"name":"L\'\\u00c9COLE","point":null}\n',
    b'{"code": "92", "nature": 340, "name": null, "point": null}\n',
    b'{"code": "075", "nature": null, "name": "say \\"hi\\"", "point": null}\n',
    b'{"code": "93", "nature": 370, "name": "E", "point": null}\n',
]


def write_dataset(state: Path, name: str, lines: list[bytes], host: str = HOST) -> Path:
    folder = state / host / name
    folder.mkdir(parents=True)
    fields = [
        {"name": field, "label": field, "type": kind, "annotations": {}}
        for field, kind in {
            "code": "text",
            "nature": "int",
            "name": "text",
            "point": "geo_point_2d",
        }.items()
    ]
    metas = {
        "title": name,
        "modified": "2024-11-18T03:05:00+00:00",
        "data_processed": "2024-11-18T23:05:00+00:00",
        "metadata_processed": "2024-11-18T03:05:00+00:00",
        "records_count": len(lines),
    }
    document = {
        "dataset_id": name,
        "has_records": True,
        "metas": {"default": metas},
        "fields": fields,
    }
    (folder / "dataset.json").write_text(json.dumps(document, indent=1))
    (folder / "records.jsonl").write_bytes(b"".join(lines))
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "state", "schools", LINES)
    write_dataset(tmp_path / "state", "others", LINES[:2])
    return tmp_path / "state"


@pytest.fixture
def portal(state: Path) -> Iterator[ReplayPortal]:
    with ReplayPortal(state) as running:
        yield running


def get(portal: ReplayPortal, path: str, timeout: float = 5, **query: Any) -> requests.Response:
    url = portal.base_url(HOST) + CATALOG + path
    return requests.get(url, params=query, timeout=timeout)


def read_until_it_breaks(portal: ReplayPortal, path: str, **query: Any) -> bytes:
    """What arrived before the stream broke; fails if it ended well."""
    url = portal.base_url(HOST) + CATALOG + path
    answer = requests.get(url, params=query, stream=True, timeout=5)
    assert answer.status_code == 200
    received = b""
    pieces = answer.iter_content(16)
    while True:
        try:
            received += next(pieces)
        except StopIteration:
            pytest.fail(f"ended well after {len(received)} bytes")
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return received


def test_metadata_is_as_recorded(portal: ReplayPortal, state: Path) -> None:
    answer = get(portal, "schools")
    assert answer.status_code == 200
    assert answer.content == (state / HOST / "schools" / "dataset.json").read_bytes()


def test_jsonl_export_is_byte_for_byte_and_chunked(portal: ReplayPortal) -> None:
    answer = get(portal, "schools/exports/jsonl")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == b"".join(LINES)


def test_filtered_export_keeps_whole_lines_in_order(portal: ReplayPortal) -> None:
    answer = get(portal, "schools/exports/jsonl", where='code = "075"')
    assert answer.content == LINES[0] + LINES[1] + LINES[3]


@pytest.mark.parametrize("where", ["", 'code in ("nowhere")'])
def test_json_export_is_one_array(portal: ReplayPortal, where: str) -> None:
    answer = get(portal, "schools/exports/json", where=where)
    assert answer.json() == ([] if where else [json.loads(line) for line in LINES])


def test_records_page_and_count(portal: ReplayPortal) -> None:
    assert get(portal, "schools/records", limit=0).json() == {"total_count": 5, "results": []}
    page = get(portal, "schools/records", limit=2, offset=1, where='code = "075"')
    assert page.json() == {
        "total_count": 3,
        "results": [json.loads(LINES[1]), json.loads(LINES[3])],
    }
    assert LINES[1].rstrip() in page.content


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 101},
        {"limit": "ten"},
        {"limit": -1},
        {"limit": 100, "offset": 9900},
        {"select": "code"},
    ],
)
def test_records_refuses_what_the_api_refuses(portal: ReplayPortal, query: dict[str, Any]) -> None:
    answer = get(portal, "schools/records", **query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "InvalidRESTParameterError"
    assert next(iter(query)) in answer.json()["message"]


def test_export_takes_no_offset(portal: ReplayPortal) -> None:
    assert get(portal, "schools/exports/jsonl", offset=1).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "nowhere/exports/jsonl",
        "schools/facets",
        "..",
        "%2e%2e/%2e%2e",
        "schools/records/jsonl",
    ],
)
def test_unknown_is_404_without_json(portal: ReplayPortal, path: str) -> None:
    answer = get(portal, path)
    assert answer.status_code == 404
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


@pytest.mark.parametrize(
    "where",
    [
        "code",
        "code =",
        "code = 075 075",
        'code = "075',
        'code = "075" and',
        "code in ()",
        'code in ("a"',
        "(code = 1",
        "code = 1)",
        "= 1",
        "code ~ 1",
        "date'soon' = code",
        "code > date'soon'",
        "code is 1",
        "startswith(code)",
        "code = null",
        "not",
        "(" * 5000,
    ],
)
def test_where_syntax_errors(where: str, portal: ReplayPortal) -> None:
    answer = get(portal, "schools/exports/jsonl", where=where)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "ODSQLError"
    assert "Syntax error" in answer.json()["message"]


def test_where_unknown_field(portal: ReplayPortal) -> None:
    for path in ("schools/records", "schools/exports/jsonl"):
        answer = get(portal, path, where="colour = 1")
        assert answer.status_code == 400
        assert answer.json()["error_code"] == "ODSQLError"
        assert "Unknown field: colour" in answer.json()["message"]


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("year(code) = 2024", "year()"),
        ("within_distance(point, geom'POINT(2 48)', 1km)", "within_distance()"),
        ('"paris"', "words in every field"),
        ("nature + 1 = 3", "'+'"),
        ("nature in [1..3]", "'..'"),
        ("code : 1", "':'"),
    ],
)
def test_what_the_replay_does_not_implement_is_not_called_malformed(
    where: str, named: str, portal: ReplayPortal
) -> None:
    answer = get(portal, "schools/exports/jsonl", where=where)
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert "does not implement" in message
    assert named in message
    assert "malformed" not in message


def test_count_follows_the_file(portal: ReplayPortal, state: Path) -> None:
    assert get(portal, "schools/records", limit=0).json()["total_count"] == 5
    (state / HOST / "schools" / "records.jsonl").write_bytes(b"".join(LINES[:4]))
    assert get(portal, "schools/records", limit=0).json()["total_count"] == 4


# Faults.


def test_times_and_after_count_matching_requests_only(state: Path) -> None:
    fault = Fault(
        "server_error", dataset="schools", endpoint="records", status=503, after=1, times=2
    )
    with FaultyPortal(state, faults=[fault]) as portal:
        seen = [get(portal, "schools/records").status_code for _ in range(5)]
        others = get(portal, "others/records").status_code
        exports = get(portal, "schools/exports/jsonl").status_code
    assert seen == [200, 503, 503, 200, 200]
    assert (others, exports) == (200, 200)


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("records", [0, 1, 2, 5])
def test_cut_stream_breaks_mid_record(state: Path, framing: Any, records: int) -> None:
    fault = Fault("cut_stream", records=records, framing=framing)
    with FaultyPortal(state, faults=[fault]) as portal:
        received = read_until_it_breaks(portal, "schools/exports/jsonl")
    whole = b"".join(LINES)
    assert whole.startswith(received)
    assert len(received) < len(whole) or framing == "chunked"


def test_cut_stream_at_a_byte(state: Path) -> None:
    size = len(LINES[0])
    with FaultyPortal(state, faults=[Fault("cut_stream", size=size)]) as portal:
        received = read_until_it_breaks(portal, "schools/exports/jsonl")
    assert received == LINES[0]


def test_stall_never_answers_and_does_not_hold_up_the_end(state: Path) -> None:
    started = time.monotonic()
    with (
        FaultyPortal(state, faults=[Fault("stall")]) as portal,
        pytest.raises(requests.ReadTimeout),
    ):
        get(portal, "schools", timeout=0.2)
    assert time.monotonic() - started < 3


# The server itself.


def test_keeps_a_connection_and_serves_several_at_once(portal: ReplayPortal) -> None:
    answers: list[bytes] = []

    def pull() -> None:
        with requests.Session() as session:
            for _ in range(5):
                url = portal.base_url(HOST) + CATALOG + "schools/exports/jsonl"
                answers.append(session.get(url, timeout=5).content)

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert answers == [b"".join(LINES)] * 20


def test_a_stopped_portal_answers_nobody(state: Path) -> None:
    with requests.Session() as session:
        with ReplayPortal(state) as portal:
            url = portal.base_url(HOST) + CATALOG + "schools"
            assert session.get(url, timeout=5).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)


@pytest.mark.parametrize("broken", [b"{not json\n", b"[1]\n"])
def test_a_broken_line_is_named(broken: bytes, state: Path) -> None:
    records = state / HOST / "schools" / "records.jsonl"
    records.write_bytes(LINES[0] + broken)
    with ReplayPortal(state) as portal:
        for path in ("schools/records", "schools/exports/jsonl"):
            answer = get(portal, path, where='code = "075"')
            assert answer.status_code == 400
            assert f"{records} is broken in line 2" in answer.json()["message"]
        # Without a filter nothing is read here: what it is is for the reader to say.
        assert get(portal, "schools/exports/jsonl").content == LINES[0] + broken


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dataset.json", b"{not json"),
        ("dataset.json", b"[]"),
        ("dataset.json", b'{"metas": {"default": {}}}'),
        ("dataset.json", b"\xff"),
        ("records.jsonl", b'\n[{"code": "075"},\n'),
        ("records.jsonl", b"\xef\xbb\xbfcode;nature\n"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, state: Path) -> None:
    path = state / HOST / "schools" / name
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(str(path))):
        ReplayPortal(state)


def test_a_client_that_hangs_up_leaves_no_traceback(
    state: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    records = state / HOST / "schools" / "records.jsonl"
    records.write_bytes(b"".join(LINES) * 20_000)
    with ReplayPortal(state) as portal:
        for request in (
            b"GET ",
            b"",
            f"GET /{HOST}{CATALOG}schools/exports/jsonl HTTP/1.1\r\n\r\n".encode(),
        ):
            host, port = portal.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(request)
                # A reset rather than an end, as of a process that is killed.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.3)
        assert get(portal, "others").status_code == 200
    assert "Traceback" not in caplog.text + capfd.readouterr().err


def test_large_exports_stay_out_of_memory(tmp_path: Path) -> None:
    import tracemalloc

    folder = write_dataset(tmp_path, "large", [])
    with (folder / "records.jsonl").open("wb") as file:
        for _ in range(2000):
            file.write(b"".join(LINES) * 10)
    size = (folder / "records.jsonl").stat().st_size
    with ReplayPortal(tmp_path) as portal:
        url = portal.base_url(HOST) + CATALOG + "large/exports/jsonl"
        tracemalloc.start()
        answer = requests.get(url, params={"where": 'code != "93"'}, stream=True, timeout=30)
        received = sum(len(piece) for piece in answer.iter_content(64 * 1024))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert received > 5_000_000
    assert peak < size / 4


def test_port_in_use(portal: ReplayPortal, state: Path) -> None:
    port = int(portal.url.rsplit(":", 1)[1])
    with (
        pytest.raises(SettingsError, match=f"{port}.*another port"),
        ReplayPortal(state, port=port),
    ):
        pass


def test_serve_forever_serves_until_interrupted(state: Path) -> None:
    code = (
        "import logging, sys; from pathlib import Path;"
        "from sandbox.portal import serve_forever;"
        "logging.basicConfig(level=logging.INFO, format='%(message)s');"
        "serve_forever(Path(sys.argv[1]), port=0)"
    )
    command = [sys.executable, "-c", code, str(state)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split(" at ")[1].split(";")[0]
            assert requests.get(url + CATALOG + "schools", timeout=5).status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()


def test_folders_that_are_no_state(tmp_path: Path, state: Path) -> None:
    with pytest.raises(SettingsError, match="no such folder"):
        ReplayPortal(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="holds no recorded dataset"):
        ReplayPortal(tmp_path / "empty")
    with pytest.raises(SettingsError, match=r"several extractions.*/state"):
        ReplayPortal(tmp_path)
    (state / HOST / "others" / "records.jsonl").unlink()
    with pytest.raises(SettingsError, match=r"others has .* no records\.jsonl"):
        ReplayPortal(state)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded portal states beside the project")
def test_registry_filters_on_a_recorded_state() -> None:
    counts = {}
    with ReplayPortal(RECORDED / "2024-11") as portal:
        for dataset in registry().values():
            url = portal.base_url(dataset.portal.host) + CATALOG + dataset.dataset_id
            query: dict[str, Any] = {"where": dataset.where} if dataset.where else {}
            probe = requests.get(url + "/records", params={**query, "limit": 0}, timeout=10)
            export = requests.get(url + "/exports/jsonl", params=query, timeout=10)
            if probe.status_code == 404:
                continue
            counts[dataset.dataset_id] = probe.json()["total_count"]
            assert export.content.count(b"\n") == counts[dataset.dataset_id]
            assert counts[dataset.dataset_id] >= dataset.volume_floor
    assert counts["etablissements-scolaires-colleges"] == 114
    assert counts["fr-en-ips-colleges-ap2022"] == 177
    assert len(counts) == 6
