"""The portal client over real HTTP: the replay portal, and raw sockets where it is too polite."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingestion.errors import (
    IncompletePullError,
    PortalError,
    PortalUnreachableError,
    StoreError,
    UnknownDatasetError,
)
from ingestion.network import Timeouts
from ingestion.portal import MAX_LINE_BYTES, PULLS, PortalClient
from ingestion.probe import Drift, Probe
from ingestion.records import lines
from ingestion.registry import Dataset, Portal, registry
from tests.faulty_portal import Fault, FaultyPortal

HOST = "portal.example"
KEY = "c4n4ry0123456789"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "portal"
PATIENT = Timeouts(connect=10, read=20, export=20, slow=20)
QUICK = Timeouts(connect=10, read=0.8, export=0.8, slow=1.2)

SCHOOLS = Dataset(
    dataset_id="schools",
    portal=Portal(name="city", base_url=f"https://{HOST}"),
    title="Schools",
    publisher="City",
    licence="ODbL",
    where=None,
    key=("code",),
    fields={"code": ("text",), "size": ("int", "double")},
    volume_floor=1,
)
SOME = SCHOOLS.model_copy(update={"where": 'size = 1 and code != "a b+c&d"'})
PROBE = Probe(
    records_count=4,
    fields={"code": "text", "size": "int"},
    drift=(),
    ledger={
        "rows_expected": 4,
        "portal_data_processed_at": datetime(2026, 11, 20, tzinfo=UTC),
        "portal_modified_at": datetime(2026, 11, 1, tzinfo=UTC),
        "fields_hash": "f",
        "registry_fingerprint": "r",
    },
)
LINES = [
    b'{"code": "A", "size": 1}',
    b'{"code":"B \xe2\x80\xa8", "size": 2.50}',
    b'{"code": "C", "size": 1}',
    b'{"code": null, "size": 1}',
]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / HOST / "schools"
    folder.mkdir(parents=True)
    document = {
        "dataset_id": "schools",
        "metas": {
            "default": {
                "modified": "2024-11-18T03:05:00+00:00",
                "data_processed": "2024-11-18T23:05:00+00:00",
                "metadata_processed": "2024-11-19T03:05:00+00:00",
                "records_count": len(LINES),
            }
        },
        "fields": [
            {"name": "code", "label": "Code", "type": "text", "annotations": {}},
            {"name": "size", "label": "Size", "type": "int", "annotations": {}},
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(document))
    (folder / "records.jsonl").write_bytes(b"\n".join(LINES) + b"\n")
    return tmp_path


class Sleeps(list[float]):
    """Stands for time.sleep: notes how long was asked for and goes on."""

    __call__ = list.append


@contextmanager
def replay(
    state: Path, *faults: Fault, api_key: str | None = None, **options: Any
) -> Iterator[tuple[PortalClient, FaultyPortal, Sleeps]]:
    sleeps = Sleeps()
    options = {"timeouts": PATIENT, "sleep": sleeps} | options
    with (
        FaultyPortal(state, faults=faults, api_key=api_key) as portal,
        PortalClient(base_urls={"city": portal.base_url(HOST)}, **options) as client,
    ):
        yield client, portal, sleeps


def pull(client: PortalClient, dataset: Dataset = SCHOOLS) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spool"
        rows, _ = client.stream(dataset, PROBE, path)
        received = list(lines(path))
    assert rows == len(received)
    return received


# --- the way it should be -------------------------------------------------------------------------


def test_probe(state: Path) -> None:
    with replay(state) as (client, portal, _):
        probe = client.probe(SCHOOLS)
    assert probe.records_count == 4
    assert probe.fields == {"code": "text", "size": "int"}
    assert probe.drift == ()
    ledger = dict(probe.ledger)
    assert ledger.pop("fields_hash")
    assert ledger == {
        "rows_expected": 4,
        "portal_records_count": 4,
        "portal_data_processed_at": datetime(2024, 11, 18, 23, 5, tzinfo=UTC),
        "portal_modified_at": datetime(2024, 11, 18, 3, 5, tzinfo=UTC),
        "is_synthetic": False,
        "drift": "[]",
        "registry_fingerprint": SCHOOLS.fingerprint,
    }
    assert [request.path for request in portal.requests] == [
        f"/{HOST}/api/explore/v2.1/catalog/datasets/schools"
    ]


def test_probe_of_a_selection_asks_for_its_count(state: Path) -> None:
    with replay(state) as (client, portal, _):
        probe = client.probe(SOME)
    assert (probe.records_count, probe.ledger["portal_records_count"]) == (3, 4)
    assert portal.requests[-1].path.endswith("/schools/records")
    assert portal.requests[-1].query == {"limit": "0", "where": SOME.where}


def test_probe_counts_where_the_metadata_do_not(state: Path) -> None:
    edit(state, lambda document: document["metas"]["default"].pop("records_count"))
    with replay(state) as (client, _, _):
        probe = client.probe(SCHOOLS)
    assert (probe.records_count, probe.ledger["portal_records_count"]) == (4, None)
    edit(state, lambda document: document["metas"]["default"].update(records_count="n/a"))
    with replay(state) as (client, _, _):
        probe = client.probe(SCHOOLS)
    assert (probe.records_count, probe.ledger["portal_records_count"]) == (4, None)


def test_probe_says_synthetic(state: Path) -> None:
    edit(state, lambda document: document.update(synthetic=True))
    with replay(state) as (client, _, _):
        assert client.probe(SCHOOLS).ledger["is_synthetic"]


def test_drift(state: Path) -> None:
    edit(
        state,
        lambda document: document.update(
            fields=[
                {"name": "size", "type": "text"},
                {"name": "code", "type": "text"},
                {"name": "sigle", "type": "text"},
            ]
        ),
    )
    expecting = SCHOOLS.model_copy(update={"fields": SCHOOLS.fields | {"rnb": ("text",)}})
    with replay(state) as (client, _, _):
        drift = client.probe(expecting).drift
    assert drift == (
        Drift("retyped", "size", "int or double", "text"),
        Drift("gone", "rnb", "text", None),
        Drift("added", "sigle", None, "text"),
    )


def test_lines_are_as_sent(state: Path) -> None:
    with replay(state) as (client, portal, sleeps):
        assert pull(client) == LINES
        assert pull(client, SOME) == [LINES[0], LINES[2], LINES[3]]
    assert sleeps == []
    whole, some = portal.requests
    assert whole.path == f"/{HOST}/api/explore/v2.1/catalog/datasets/schools/exports/jsonl"
    assert whole.query == {"timezone": "UTC"}
    assert some.query == {"timezone": "UTC", "where": SOME.where}
    assert whole.headers["user-agent"].startswith("paris-colleges/")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b'{"a":1}', [b'{"a":1}']),
        (b'{"a":1}\n \r', [b'{"a":1}']),
        (b'\n\r\n{"a":1}\r\n \n{"b":\r2}\n', [b'{"a":1}', b'{"b":\r2}']),
        (b'\xef\xbb\xbf{"a":1}\n', [b'{"a":1}']),
    ],
)
def test_line_ends(state: Path, content: bytes, lines: list[bytes]) -> None:
    with served(chunked(content)) as (client, _):
        assert pull(client) == lines


def test_lines_across_chunks_of_any_size() -> None:
    sent = [json.dumps({"n": n, "x": "é" * n}).encode() for n in range(60)]
    body = b"\n".join(sent)
    for size in (1, 2, 7, 100, 4096):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        with served(chunked(*pieces)) as (client, _):
            assert pull(client) == sent


def test_a_gzipped_export() -> None:
    body = b"".join(line + b"\n" for line in LINES * 500)
    packed = gzip.compress(body)
    answer = head("Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed
    with served(answer) as (client, requests):
        assert pull(client) == LINES * 500
    assert b"accept-encoding: gzip\r\n" in requests[0].lower()


def test_a_pull_holds_a_batch_and_not_the_dataset(state: Path) -> None:
    record = b'{"code": "' + b"x" * 1000 + b'", "size": 1}\n'
    (state / HOST / "schools" / "records.jsonl").write_bytes(record * 100_000)
    with FaultyPortal(state) as portal:
        code = (
            "import resource, sys; from tests.ingestion.test_portal import *\n"
            f"client = PortalClient(base_urls={{'city': {portal.base_url(HOST)!r}}})\n"
            "pull(client, SOME)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "with tempfile.NamedTemporaryFile() as file:\n"
            "    rows, _ = client.stream(SCHOOLS, PROBE, Path(file.name))\n"
            "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
            "assert rows == 100_000, rows\n"
            "assert grown < 20_000, f'{grown} kB more'\n"
        )
        root = Path(__file__).resolve().parents[2]
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=root)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="../shared/portal is absent: recorded states")
def test_every_recorded_dataset_probes_and_reconciles(tmp_path: Path) -> None:
    state = RECORDED / "2024-11"
    with FaultyPortal(state) as portal:
        hosts = {d.portal.name: portal.base_url(d.portal.host) for d in registry().values()}
        with PortalClient(base_urls=hosts) as client:
            counts = {}
            for name, dataset in registry().items():
                try:
                    probe = client.probe(dataset)
                except UnknownDatasetError:
                    continue
                assert probe.drift == () or name.startswith(("secteurs", "fr-en")), probe.drift
                counts[name] = client.spool(dataset, probe, tmp_path / "spool").rows
    assert counts["etablissements-scolaires-colleges"] == 114
    assert counts["arrondissements"] == 20
    assert len(counts) == 6


# --- reconciling ----------------------------------------------------------------------------------


def spool(client: PortalClient, folder: Path, dataset: Dataset = SCHOOLS) -> list[bytes]:
    spooled = client.spool(dataset, client.probe(dataset), folder / "spool")
    received = list(lines(spooled.path))
    assert len(received) == spooled.rows == spooled.probe.records_count
    return received


def test_a_whole_pull(state: Path) -> None:
    with replay(state) as (client, _, sleeps):
        assert spool(client, state) == LINES
        assert len(spool(client, state, SOME)) == 3
    assert sleeps == []


FAULTS = [
    Fault("truncated_but_ok", records=3),
    Fault("empty_but_ok"),
    Fault("cut_stream", records=2),
    Fault("wrong_count", after=1, times=1),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_pull_that_is_not_whole_is_begun_again(state: Path, fault: Fault) -> None:
    with replay(state, replace(fault, times=1)) as (client, _, sleeps):
        assert spool(client, state) == LINES
    assert sleeps in ([1.0], [1.0, 2.0])


@pytest.mark.parametrize("fault", FAULTS[:3], ids=lambda fault: fault.kind)
def test_a_pull_that_is_never_whole_fails(state: Path, fault: Fault) -> None:
    with (
        replay(state, fault) as (client, _, sleeps),
        pytest.raises(IncompletePullError, match=r"schools: .*Nothing of"),
    ):
        spool(client, state)
    assert len(sleeps) == PULLS - 1


def test_a_portal_that_publishes_meanwhile_is_read_against_what_it_then_says(state: Path) -> None:
    with (
        replay(state, Fault("processed_moves", after=1)) as (client, _, _),
        pytest.raises(IncompletePullError, match="published other data during the pull"),
    ):
        spool(client, state)
    with replay(state, Fault("processed_moves", after=1, times=1)) as (client, _, _):
        assert spool(client, state) == LINES


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_cut_inside_its_last_line_and_framed_well(packed: bool, tmp_path: Path) -> None:
    """As many lines as announced, the last one damaged: no record may end in the quarantine."""
    body = b"\n".join(json.dumps({"code": f"{n * n:x}", "size": n}).encode() for n in range(400))
    if packed:
        cut = gzip.compress(body)[:-20]
        answer = head("Content-Encoding: gzip", f"Content-Length: {len(cut)}") + cut
    else:
        answer = whole(body[:-5])
    with (
        served(answer) as (client, _),
        pytest.raises(IncompletePullError, match="the last line is not whole"),
    ):
        pull(client)


def test_the_portals_own_words_at_the_end_of_a_stream_are_told(state: Path) -> None:
    said = b'{"error_code": "Timeout", "message": "query took too long"}\n'
    document = (state / HOST / "schools" / "dataset.json").read_bytes()
    answers = [whole(document), *[whole(LINES[0] + b"\n" + said), whole(document)] * PULLS]
    with (
        served(*answers) as (client, _),
        pytest.raises(
            IncompletePullError, match=r"the last of them: .*Timeout.*query took too long"
        ),
    ):
        spool(client, state)


def test_a_full_disk_is_told(state: Path) -> None:
    with replay(state) as (client, _, _), pytest.raises(StoreError, match="/dev"):
        client.stream(SCHOOLS, PROBE, Path("/dev/full"))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ({}, None),
        ({"portal_modified_at": None}, None),
        ({"portal_data_processed_at": datetime(2026, 11, 21, tzinfo=UTC)}, "data_processed"),
        ({"rows_expected": 5}, "rows_expected 4 → 5"),
        ({"fields_hash": "g"}, "fields_hash"),
        ({"registry_fingerprint": "s"}, "registry_fingerprint"),
    ],
)
def test_what_says_that_the_data_changed(now: dict[str, Any], reason: str | None) -> None:
    found = replace(PROBE, ledger=PROBE.ledger | now).change(PROBE.ledger)
    assert found is None if reason is None else reason in str(found)
    assert PROBE.change({}) is not None


def test_the_order_of_fields_is_no_change(state: Path) -> None:
    with replay(state) as (client, _, _):
        before = client.probe(SCHOOLS)
        edit(state, lambda document: document["fields"].reverse())
        assert client.probe(SCHOOLS).change(before.ledger) is None


# --- errors the replay portal makes ---------------------------------------------------------------


def test_bad_request_says_why_and_is_not_retried(state: Path) -> None:
    with (
        replay(state, Fault("bad_request")) as (client, portal, sleeps),
        pytest.raises(PortalError, match=r"schools: .*says 400: ODSQLError, ODSQL.*told_to"),
    ):
        client.probe(SCHOOLS)
    assert (len(portal.requests), sleeps) == (1, [])


def test_a_filter_the_portal_does_not_understand(state: Path) -> None:
    wrong = SCHOOLS.model_copy(update={"where": "sizzle = 1"})
    with (
        replay(state) as (client, _, _),
        pytest.raises(PortalError, match=r"Unknown field: sizzle.*`where`"),
    ):
        pull(client, wrong)


def test_unknown_dataset(state: Path) -> None:
    with replay(state) as (client, portal, sleeps):
        for call in (client.probe, lambda d: pull(client, d)):
            with pytest.raises(UnknownDatasetError, match=r"pools: .* does not know"):
                call(SCHOOLS.model_copy(update={"dataset_id": "pools"}))
        assert client.probe(SCHOOLS).records_count == 4
    assert (len(portal.requests), sleeps) == (3, [])


def test_api_key(state: Path) -> None:
    with replay(state, api_key=KEY, api_keys={"city": SecretStr(KEY)}) as (client, _, _):
        assert client.probe(SOME).records_count == 3
        assert pull(client) == LINES
    with replay(state, api_key=KEY) as (client, _, sleeps):
        with pytest.raises(PortalError, match=r"schools: .*401.*Set CITY_API_KEY"):
            client.probe(SCHOOLS)
        assert sleeps == []
    with replay(state, api_key=KEY, api_keys={"city": SecretStr("wrong")}) as (client, _, _):
        with pytest.raises(
            PortalError, match=r"401.*Set CITY_API_KEY, or check the API key in it"
        ) as e:
            client.probe(SCHOOLS)
        assert "wrong" not in str(e.value)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors_are_retried(state: Path, status: int) -> None:
    with replay(state, Fault("server_error", status=status, times=2)) as (client, portal, sleeps):
        assert client.probe(SCHOOLS).records_count == 4
    assert len(portal.requests) == 3
    assert len(sleeps) == 2
    assert 0.5 <= sleeps[0] <= 1 <= sleeps[1] <= 2


def test_server_errors_are_retried_a_bounded_number_of_times(state: Path) -> None:
    with (
        replay(state, Fault("server_error", status=503), attempts=3) as (client, portal, sleeps),
        pytest.raises(PortalUnreachableError, match=r"schools: .*it answered 503"),
    ):
        pull(client)
    assert (len(portal.requests), len(sleeps)) == (3, 2)


def test_an_export_is_retried_before_its_first_byte(state: Path) -> None:
    fault = Fault("stall", endpoint="exports", times=1)
    with replay(state, fault, timeouts=QUICK) as (client, portal, sleeps):
        assert pull(client) == LINES
    assert (len(portal.requests), len(sleeps)) == (2, 1)


def test_a_portal_that_accepts_and_is_silent(state: Path) -> None:
    with (
        replay(state, Fault("stall"), attempts=2, timeouts=QUICK) as (client, portal, _),
        pytest.raises(PortalUnreachableError, match="no answer in time"),
    ):
        client.probe(SCHOOLS)
    assert len(portal.requests) == 2


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("size", [1, 24, 25, 60, None])
def test_a_cut_stream_is_never_a_pull(state: Path, framing: Any, size: int | None) -> None:
    fault = Fault("cut_stream", endpoint="exports", framing=framing, size=size, records=2)
    with (
        replay(state, fault) as (client, portal, sleeps),
        pytest.raises(IncompletePullError, match=r"schools: .*broke off after"),
    ):
        pull(client)
    assert (len(portal.requests), sleeps) == (1, [])


def test_quota_that_frees_later_stops_and_says_when(state: Path) -> None:
    reset = datetime.now(UTC) + timedelta(hours=5)
    with (
        replay(state, Fault("quota", reset_time=reset)) as (client, portal, sleeps),
        pytest.raises(PortalError, match=r"schools: .*10000, day") as e,
    ):
        client.probe(SCHOOLS)
    assert f"{reset:%Y-%m-%d %H:%M}" in str(e.value)
    assert (len(portal.requests), sleeps) == (1, [])


# --- errors only a raw socket makes ---------------------------------------------------------------

Answer = bytes | Callable[[socket.socket], None]


def head(*headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(body: bytes, *headers: str, **options: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *headers, **options) + body


def chunked(*pieces: bytes) -> bytes:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
    return head("Transfer-Encoding: chunked") + b"".join(chunks) + b"0\r\n\r\n"


@contextmanager
def raw_server(*answers: Answer, context: ssl.SSLContext | None = None) -> Iterator[Any]:
    """Sends each connection the next answer, the last one again and again; notes the requests."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []
    stop = threading.Event()

    def serve_one(connection: socket.socket, answer: Answer) -> None:
        connection.settimeout(5)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            received = b""
            while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
                received += piece
            requests.append(received)
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)

    def serve() -> None:
        served = 0
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            answer = answers[min(served, len(answers) - 1)]
            served += 1
            try:
                serve_one(connection, answer)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], requests
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join(timeout=10)
        listener.close()


@contextmanager
def served(*answers: Answer, **options: Any) -> Iterator[tuple[PortalClient, list[bytes]]]:
    options = {"timeouts": PATIENT, "sleep": Sleeps(), "attempts": 2} | options
    with (
        raw_server(*answers) as (port, requests),
        PortalClient(base_urls={"city": f"http://127.0.0.1:{port}"}, **options) as client,
    ):
        yield client, requests


def edit(state: Path, change: Callable[[Any], Any]) -> None:
    path = state / HOST / "schools" / "dataset.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def slowly(first: bytes, piece: bytes, pause_s: float) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(100):
            time.sleep(pause_s)
            connection.sendall(piece)

    return answer


def then_silence(first: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        connection.recv(1)  # until the client hangs up

    return answer


def test_nobody_listens_names_the_host_and_the_other_ways() -> None:
    port = free_port()
    started = time.monotonic()
    with (
        PortalClient(base_urls={"city": f"http://127.0.0.1:{port}"}, sleep=Sleeps()) as client,
        pytest.raises(PortalUnreachableError) as e,
    ):
        client.probe(SCHOOLS)
    assert time.monotonic() - started < 5
    for part in ("schools", f"127.0.0.1:{port}: Connection refused. ", "make demo", "PORTAL=DIR"):
        assert part in str(e.value)


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    nowhere = SCHOOLS.model_copy(
        update={"portal": Portal(name="city", base_url="https://nowhere.invalid")}
    )
    with (
        PortalClient(sleep=Sleeps()) as client,
        pytest.raises(PortalUnreachableError, match=r"nowhere\.invalid: .*([Nn]ame|resol)"),
    ):
        client.probe(nowhere)


def test_a_host_that_drops_packets() -> None:
    """A full backlog answers no further connection, as a firewall would."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        time.sleep(0.1)
        url = f"http://127.0.0.1:{address[1]}"
        options = {"timeouts": Timeouts(connect=0.2), "attempts": 2, "sleep": Sleeps()}
        with (
            PortalClient(base_urls={"city": url}, **options) as client,
            pytest.raises(PortalUnreachableError, match="no answer in time"),
        ):
            client.probe(SCHOOLS)
        for filler in fillers:
            filler.close()


def test_no_attempt_begins_late(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.portal._RETRY_FOR_S", 0.2)
    with (
        replay(state, Fault("stall"), timeouts=QUICK) as (client, portal, _),
        pytest.raises(PortalUnreachableError),
    ):
        client.probe(SCHOOLS)
    assert len(portal.requests) == 1


def test_a_server_that_hangs_up_is_retried(state: Path) -> None:
    document = (state / HOST / "schools" / "dataset.json").read_bytes()
    with served(b"", whole(document)) as (client, requests):
        assert client.probe(SCHOOLS).records_count == 4
    assert len(requests) == 2


def test_a_server_that_always_hangs_up() -> None:
    with (
        served(b"") as (client, _),
        pytest.raises(PortalUnreachableError, match=": Remote end closed connection"),
    ):
        client.probe(SCHOOLS)


def test_metadata_cut_short_are_retried(state: Path) -> None:
    document = (state / HOST / "schools" / "dataset.json").read_bytes()
    cut = head(f"Content-Length: {len(document)}") + document[:-10]
    with served(cut, whole(document)) as (client, requests):
        assert client.probe(SCHOOLS).records_count == 4
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>hello", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[]", "no JSON object"),
    ],
)
def test_an_answer_that_is_not_the_apis(body: bytes, what: str) -> None:
    with (
        served(whole(body)) as (client, _),
        pytest.raises(PortalUnreachableError, match=f"schools: .*{what}"),
    ):
        client.probe(SCHOOLS)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"metas": [], "fields": []}',
        b'{"metas": {"default": null}, "fields": []}',
        b'{"metas": {"default": {}}, "fields": [{"name": "a"}]}',
        b'{"metas": {"default": {}}, "fields": null}',
    ],
)
def test_metadata_of_another_shape(body: bytes) -> None:
    with (
        served(whole(body)) as (client, _),
        pytest.raises(PortalError, match=r"schools: .*Explore API"),
    ):
        client.probe(SCHOOLS)


@pytest.mark.parametrize("body", [b"{}", b'{"total_count": "4"}', b'{"total_count": -1}'])
def test_a_count_that_is_none(state: Path, body: bytes) -> None:
    document = (state / HOST / "schools" / "dataset.json").read_bytes()
    with (
        served(whole(document), whole(body)) as (client, _),
        pytest.raises(PortalError, match=r"schools: .*total_count"),
    ):
        client.probe(SOME)


def test_a_login_page() -> None:
    with served(whole(b"<html>Log in", kind="text/html; charset=utf-8")) as (client, requests):
        for call in (client.probe, lambda dataset: pull(client, dataset)):
            with pytest.raises(PortalUnreachableError, match=r"schools: .*HTML page.*login page"):
                call(SCHOOLS)
    assert len(requests) == 2


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "410 Gone", "204 No Content"])
def test_other_refusals(status: str) -> None:
    with (
        served(whole(b"", status=status)) as (client, requests),
        pytest.raises(PortalError, match=f"schools: .*{status[:3]}"),
    ):
        client.probe(SCHOOLS)
    assert len(requests) == 1


def test_a_400_without_a_body() -> None:
    with (
        served(whole(b"oops", status="400 Bad Request")) as (client, _),
        pytest.raises(PortalError, match="says 400: it gives no reason"),
    ):
        client.probe(SCHOOLS)


@pytest.mark.parametrize("header", [format_datetime, lambda at: "32400"])
def test_quota_by_header_alone(header: Callable[[datetime], str]) -> None:
    reset = datetime.now(UTC) + timedelta(hours=9)
    answer = whole(b"", f"Retry-After: {header(reset)}", status="429 Too Many Requests")
    with (
        served(answer) as (client, _),
        pytest.raises(PortalError, match=reset.strftime("%Y-%m-%d %H:")),
    ):
        client.probe(SCHOOLS)


def test_quota_that_does_not_say_when() -> None:
    answer = whole(b'{"reset_time": "soon"}', status="429 Too Many Requests")
    with (
        served(answer) as (client, _),
        pytest.raises(PortalError, match="does not say when"),
    ):
        client.probe(SCHOOLS)


def test_a_stream_without_length_that_ends_inside_a_line() -> None:
    with (
        served(head() + b'{"a":1}\n{"a":') as (client, _),
        pytest.raises(IncompletePullError, match=r"after 1 rows: the last line is not whole"),
    ):
        pull(client)


@pytest.mark.parametrize("answer", [b"Z\r\n{}\r\n", b"4\r\n{}\n", b"2\r\n{}\r\n"])
def test_broken_chunks(answer: bytes) -> None:
    with (
        served(head("Transfer-Encoding: chunked") + b"3\r\n{}\n\r\n" + answer) as (client, _),
        pytest.raises(IncompletePullError),
    ):
        pull(client)


def test_broken_gzip() -> None:
    packed = gzip.compress(b"\n".join(LINES * 1000))
    broken = packed[:20] + b"\0" * 20 + packed[40:]
    answer = head("Content-Encoding: gzip", f"Content-Length: {len(broken)}") + broken
    with (
        served(answer) as (client, _),
        pytest.raises((IncompletePullError, PortalUnreachableError)),
    ):
        pull(client)


def test_a_stream_that_stops_in_the_middle() -> None:
    begins = head("Transfer-Encoding: chunked") + b"3\r\n{}\n\r\n"
    with (
        served(then_silence(begins), timeouts=QUICK) as (client, _),
        pytest.raises(IncompletePullError, match=r"no more bytes within 0\.8 s"),
    ):
        pull(client)


def test_headers_that_drip() -> None:
    """Each byte comes in time and the headers never end."""
    dripping = slowly(b"HTTP/1.1 200 OK\r\nX-", b"x", 0.1)
    quick = Timeouts(connect=0.2, read=0.5, export=0.5, slow=1.0)
    with served(dripping, timeouts=quick, attempts=1) as (client, _):
        started = time.monotonic()
        with pytest.raises(PortalUnreachableError, match="no answer in time"):
            client.probe(SCHOOLS)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (head("Transfer-Encoding: chunked") + b"3\r\n{}\n\r\n", b"3\r\n{}\n\r\n"),
        (head("Transfer-Encoding: chunked") + b"3\r\n{}\n\r\nffff\r\n", b"x"),
        (head("Content-Length: 99999") + b"{}\n", b"x"),
    ],
)
def test_a_stream_that_drips(first: bytes, piece: bytes) -> None:
    """Each byte comes in time and the whole never would."""
    with served(slowly(first, piece, 0.05), timeouts=QUICK) as (client, _):
        started = time.monotonic()
        with pytest.raises(IncompletePullError, match="bytes came in"):
            pull(client)
        assert time.monotonic() - started < 15


def test_a_line_too_large_for_a_record_is_handed_over_whole() -> None:
    large = b'{"a": "' + b"x" * (MAX_LINE_BYTES // 2 + 100) + b'"}'
    body = b'{"a":1}\n' + large + b'\n{"a":2}\n'
    with served(whole(body)) as (client, _):
        assert [len(line) for line in pull(client)] == [7, len(large), 7]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head("Transfer-Encoding: chunked"))
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(10 * MAX_LINE_BYTES // 0x100000):
            connection.sendall(chunk)

    with (
        served(answer) as (client, _),
        pytest.raises(IncompletePullError, match="a line is too long"),
    ):
        pull(client)


# --- redirects, keys, proxies, TLS ----------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_to_another_host_is_refused(status: str) -> None:
    with raw_server(whole(b"{}")) as (port, stolen):
        moved = whole(b"", f"Location: http://127.0.0.1:{port}/?k=1", status=status)
        with (
            served(moved, api_keys={"city": SecretStr(KEY)}) as (client, requests),
            pytest.raises(PortalError, match=r"schools: .*base_url") as e,
        ):
            client.probe(SCHOOLS)
    assert (len(requests), stolen) == (1, [])
    assert f"127.0.0.1:{port}" in str(e.value)


def test_the_api_key_shows_nowhere(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error_code": "X", "message": f"header was Apikey {KEY}\n\x1b[31m"}).encode()
    answers = [
        whole(echo, status="400 Bad Request"),
        whole(echo, status="401 Unauthorized"),
        whole(echo, status="429 Too Many Requests"),
        whole(echo, status="500 Oops"),
        whole(echo),
        b"",
        head("Content-Length: 10"),
    ]
    for answer in answers:
        with served(answer, api_keys={"city": SecretStr(KEY)}) as (client, requests):
            with pytest.raises(PortalError) as e:
                client.probe(SCHOOLS)
            error: BaseException | None = e.value
            while error is not None:
                assert KEY not in f"{error} {error!r} {error.args}"
                error = error.__cause__ or error.__context__
            assert "\x1b" not in str(e.value)
            assert KEY not in repr(vars(client))
        assert KEY.encode() not in requests[0].split(b"\r\n")[0]
    assert KEY not in caplog.text


def test_the_netrc_file_is_not_sent(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with served(whole(b"{}")) as (client, requests):
        # As for a host that is not this machine, for which the environment counts.
        monkeypatch.setattr("ingestion.network._is_loopback", lambda _: False)
        with pytest.raises(PortalError):
            client.probe(SCHOOLS)
    assert b"authorization" not in requests[0].lower()


def test_proxies_are_for_real_hosts_and_not_for_loopback(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with raw_server(whole(b"", status="407 Denied")) as (port, requests):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://user:hunter2@127.0.0.1:{port}")
        with replay(state) as (client, _, _):
            assert client.probe(SCHOOLS).records_count == 4
        assert requests == []
        with (
            PortalClient(sleep=Sleeps(), timeouts=PATIENT, attempts=1) as client,
            pytest.raises(PortalUnreachableError, match=HOST) as e,
        ):
            client.probe(SCHOOLS)
        assert requests[0].startswith(f"CONNECT {HOST}:443".encode())
    assert "hunter2" not in str(e.value)
    for part in (f"the proxy 127.0.0.1:{port} (https_proxy)", "407"):
        assert part in str(e.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:9", r"proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\): Connection"),
        ("ALL_PROXY", "socks5://127.0.0.1:9", r"\(ALL_PROXY\): .*SOCKS"),
        ("HTTPS_PROXY", "http://proxy:99999", r"proxy proxy:99999 \(HTTPS_PROXY\): "),
    ],
)
def test_a_proxy_is_blamed_and_not_the_portal(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, value)
    sleeps = Sleeps()
    with (
        PortalClient(sleep=sleeps) as client,
        pytest.raises(PortalUnreachableError, match=said),
    ):
        client.probe(SCHOOLS)
    assert sleeps == [], "another attempt cannot help"


@pytest.mark.parametrize(
    "address",
    ["user:s3cret@127.0.0.1:9", "http://user:s3cret#x@127.0.0.1:9", "http://u:s3cret/x@p:1"],
)
def test_a_proxys_password_is_not_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", address)
    with PortalClient(sleep=Sleeps()) as client, pytest.raises(PortalUnreachableError) as error:
        client.probe(SCHOOLS)
    assert "HTTPS_PROXY" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_certificates_that_is_not_there(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, "/nonexistent/ca.pem")
    with (
        PortalClient() as client,
        pytest.raises(PortalUnreachableError, match=f"/nonexistent/ca.pem.*{variable}"),
    ):
        client.probe(SCHOOLS)


def test_a_firewalls_page_is_no_word_of_the_portal() -> None:
    page = whole(b"<html>Blocked", kind="text/html", status="403 Forbidden")
    with (
        served(page) as (client, _),
        pytest.raises(PortalUnreachableError, match=r"403: an HTML page.*firewall") as e,
    ):
        client.probe(SCHOOLS)
    assert "API_KEY" not in str(e.value)


def test_an_untrusted_certificate_is_refused_and_not_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = self_signed(tmp_path)
    sleeps = Sleeps()
    with raw_server(whole(b"{}"), context=context) as (port, requests):
        secure = {"city": f"https://127.0.0.1:{port}"}
        with (
            PortalClient(base_urls=secure, sleep=sleeps, timeouts=PATIENT) as client,
            pytest.raises(PortalUnreachableError, match=r"TLS.*certificate.*REQUESTS_CA"),
        ):
            client.probe(SCHOOLS)
    assert (requests, sleeps) == ([], [])


def self_signed(folder: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
