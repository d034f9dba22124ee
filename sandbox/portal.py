"""A small HTTP server that answers like an Explore API v2.1 portal, from a recorded state.

A recorded state is a folder ``STATE/<host>/<dataset>/{dataset.json,records.jsonl}``. It is served
under ``/<host>/api/explore/v2.1/catalog/datasets/<dataset>``: the metadata as recorded,
``/records`` with the API's limits, ``/exports/jsonl`` and ``/exports/json`` as one stream. Records
leave byte for byte as they were recorded, and a file is never held in memory.

Told to by a :class:`Fault`, it misbehaves in the ways real portals do.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from ingestion.errors import SettingsError
from sandbox.odsql import NotInThisReplayError, Predicate, parse_where

logger = logging.getLogger(__name__)

MAX_LIMIT = 100
MAX_WINDOW = 10_000
DEFAULT_LIMIT = 10
CHUNK_BYTES = 64 * 1024
SECRET_HEADERS = frozenset({"authorization", "cookie"})

_PATH = re.compile(
    r"^/(?P<host>\w[\w.-]*)/api/explore/v2\.1/catalog/datasets/(?P<dataset>\w[\w.-]*)"
    r"(?:/(?P<endpoint>records|exports)(?:/(?P<format>\w+))?)?/?$"
)
# Parameters that change the answer and that this server does not implement: refused, not ignored.
_NOT_IMPLEMENTED = frozenset({"select", "order_by", "group_by", "refine", "exclude"})

Endpoint = Literal["dataset", "records", "exports"]
FaultKind = Literal[
    "quota",
    "server_error",
    "bad_request",
    "unauthorized",
    "missing_dataset",
    "stall",
    "cut_stream",
    "slow_body",
    "truncated_but_ok",
    "empty_but_ok",
    "garbage_line",
    "wrong_count",
    "processed_moves",
]
_ENDPOINTS_OF: Mapping[str, frozenset[str]] = {
    "cut_stream": frozenset({"exports"}),
    "slow_body": frozenset({"exports"}),
    "truncated_but_ok": frozenset({"exports"}),
    "empty_but_ok": frozenset({"exports"}),
    "garbage_line": frozenset({"exports"}),
    "wrong_count": frozenset({"dataset", "records"}),
    "processed_moves": frozenset({"dataset"}),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, and when. Of several that match a request the first given applies."""

    kind: FaultKind
    dataset: str | None = None
    """Dataset id, or None for any."""
    endpoint: Endpoint | None = None
    """None for every endpoint the kind makes sense on."""
    times: int | None = None
    """How many requests it strikes; None: all."""
    after: int = 0
    """How many matching requests are answered well first."""
    status: int = 500
    """``server_error``: 500, 502 or 503."""
    errorcode: int = 10005
    """``quota``: 10005 (the domain's) or 10002 (the caller's)."""
    reset_time: datetime | None = None
    """``quota``: when it frees; None: the next midnight UTC."""
    records: int = 0
    """``truncated_but_ok``, ``cut_stream``: whole records sent first; ``garbage_line``: records
    before the line."""
    size: int | None = None
    """``cut_stream``: bytes of the body sent before the cut, instead of ``records`` and a half."""
    framing: Literal["chunked", "length"] = "chunked"
    """``cut_stream``: how the length of the cut body was announced."""
    delay_s: float = 0.05
    """``slow_body``: pause before each record, in seconds."""
    line: bytes = b"<html>Bad gateway</html>"
    """``garbage_line``: what stands where a record should; the line break is added."""
    off_by: int = 1
    """``wrong_count``: added to the announced count."""

    def strikes(self, dataset: str, endpoint: str) -> bool:
        """Whether a request to this dataset and endpoint is one it is meant for."""
        return (
            self.dataset in (None, dataset)
            and self.endpoint in (None, endpoint)
            and endpoint in _ENDPOINTS_OF.get(self.kind, frozenset(get_args(Endpoint)))
        )


class Request(NamedTuple):
    """One request as it arrived: for tests. Headers are lower case and without secrets."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


def recorded_datasets(state: Path) -> dict[tuple[str, str], Path]:
    """The datasets of a recorded portal state.

    Returns:
        (host, dataset id) → the folder with its ``dataset.json`` and ``records.jsonl``.

    Raises:
        SettingsError: the folder does not exist, holds no dataset or several states, or a file is
            missing or is not what it must be; the message names it.
    """
    if not state.is_dir():
        raise SettingsError(f"There is no recorded portal state at {state}: no such folder.")
    found = {
        (path.parent.parent.name, path.parent.name): path.parent
        for path in sorted(state.glob("*/*/dataset.json"))
    }
    if not found:
        extractions = sorted({path.parents[2] for path in state.glob("*/*/*/dataset.json")})
        if extractions:
            names = ", ".join(str(path) for path in extractions)
            raise SettingsError(f"{state} holds several extractions; choose one of them: {names}.")
        raise SettingsError(
            f"{state} holds no recorded dataset (expected <host>/<dataset>/dataset.json)."
        )
    for folder in found.values():
        if not (folder / "records.jsonl").is_file():
            raise SettingsError(f"{folder} has a dataset.json but no records.jsonl.")
        _check_recording(folder)
    return found


def _check_recording(folder: Path) -> None:
    """Refuse files that no portal could have sent; a single bad line is for the run to judge."""
    path = folder / "dataset.json"
    try:
        document = json.loads(path.read_bytes())
        _ = document["metas"]["default"], [entry["name"] for entry in document["fields"]]
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as JSON: {error}. Record it again.") from error
    except (KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} is not a dataset's metadata as the Explore API v2.1 gives them: `fields` with "
            "names and `metas.default` must be there. Record it again."
        ) from error
    with (folder / "records.jsonl").open("rb") as file:
        start = file.read(CHUNK_BYTES).lstrip()
    if start and not start.startswith(b"{"):
        raise SettingsError(
            f"{folder / 'records.jsonl'} does not hold one JSON object a line: it begins with "
            f"{start[:20]!r}. Record the export `jsonl`, not `json` or `csv`."
        )


class ReplayPortal:
    """Serves a recorded state on 127.0.0.1, in a daemon thread, while the context is open.

    Args:
        state: folder ``<host>/<dataset>/{dataset.json,records.jsonl}``.
        port: 0 takes a free one.
        faults: how to misbehave.
        api_key: if given, a request without ``Authorization: Apikey <it>`` gets a 401.

    Raises:
        SettingsError: the folder is not a recorded state (on construction), or the port is taken
            (on entering).
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        faults: Sequence[Fault] = (),
        api_key: str | None = None,
    ) -> None:
        recorded_datasets(state)
        self.requests: list[Request] = []
        self._state = state
        self._port = port
        self._api_key = api_key
        self._active = [_ActiveFault(fault) for fault in faults]
        self._lock = threading.Lock()
        self._counts: dict[tuple[Path, str], tuple[tuple[int, int], int]] = {}
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ReplayPortal:
        try:
            self._server = _Server(("127.0.0.1", self._port), partial(_Handler, self))
        except OSError as error:
            raise SettingsError(
                f"Cannot serve on 127.0.0.1:{self._port}: {error.strerror}; choose another port."
            ) from error
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="replay-portal", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, known once the context is open."""
        if self._server is None:
            raise RuntimeError("the replay portal is not running: use it as a context manager")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def base_url(self, host: str) -> str:
        """What stands for ``https://<host>``."""
        return f"{self.url}/{host}"

    def add_fault(self, fault: Fault) -> None:
        """Misbehave so from the next request on."""
        with self._lock:
            self._active.append(_ActiveFault(fault))

    # What the handlers, one thread per connection, ask for.

    def _received(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def _fault_for(self, dataset: str, endpoint: str) -> Fault | None:
        with self._lock:
            for active in self._active:
                if active.fault.strikes(dataset, endpoint) and active.take():
                    return active.fault
        return None

    def _moves_so_far(self, dataset: str) -> int:
        with self._lock:
            return sum(
                active.taken
                for active in self._active
                if active.fault.kind == "processed_moves"
                and active.fault.dataset in (None, dataset)
            )

    def _count(self, records: Path, where: str, predicate: Predicate | None) -> int:
        stat = records.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        with self._lock:
            known = self._counts.get((records, where))
        if known is not None and known[0] == version:
            return known[1]
        count = sum(1 for _ in _lines(records, predicate))
        with self._lock:
            self._counts[records, where] = (version, count)
        return count


def serve_forever(state: Path, *, port: int) -> None:
    """Serve a recorded state until interrupted (Ctrl-C).

    Raises:
        SettingsError: as :class:`ReplayPortal`.
    """
    with ReplayPortal(state, port=port) as portal:
        for host in sorted({host for host, _ in recorded_datasets(state)}):
            logger.info("serving %s at %s; stop with Ctrl-C", host, portal.base_url(host))
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


@dataclass
class _ActiveFault:
    fault: Fault
    passed: int = 0
    taken: int = 0

    def take(self) -> bool:
        if self.fault.times is not None and self.taken >= self.fault.times:
            return False
        if self.passed < self.fault.after:
            self.passed += 1
            return False
        self.taken += 1
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a stalled connection must not hold up the end of a test

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        # Else a client's kept-alive connection would go on being answered by a stopped portal.
        super().server_close()
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        if isinstance(sys.exc_info()[1], OSError):
            logger.debug("replay portal: %s hung up", client_address)
        else:
            logger.exception("replay portal: a request from %s failed", client_address)


class _Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": error_code, "message": message}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "replay-portal"
    timeout = 120  # seconds a connection may idle or refuse to take bytes
    disable_nagle_algorithm = True

    def __init__(self, portal: ReplayPortal, *args: Any) -> None:
        self.portal = portal
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        logger.debug("replay portal: %s", format % args)

    def do_GET(self) -> None:
        try:
            self._get()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    def _get(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorization = headers.get("authorization")
        shown = {name: value for name, value in headers.items() if name not in SECRET_HEADERS}
        self.portal._received(Request(self.command, path, query, shown))

        match = _PATH.match(path)
        if match is None or (match["endpoint"] == "records" and match["format"]):
            self._answer_not_found()
            return
        dataset = match["dataset"]
        endpoint = match["endpoint"] or "dataset"
        key = self.portal._api_key
        if key is not None and authorization != f"Apikey {key}":
            self._answer_unauthorized()
            return
        fault = self.portal._fault_for(dataset, endpoint)
        if fault is not None and self._answer_badly(fault):
            return
        folder = self.portal._state / match["host"] / dataset
        if not (folder / "dataset.json").is_file():
            self._answer_not_found()
            return
        try:
            if endpoint == "dataset":
                self._answer_dataset(folder, fault)
            elif endpoint == "records":
                self._answer_records(folder, query, fault)
            else:
                self._answer_export(folder, match["format"] or "", query, fault)
        except _Refusal as refusal:
            self._answer_json(refusal.status, refusal.body)

    # Answers without a dataset.

    def _answer_badly(self, fault: Fault) -> bool:
        """Answer a fault that needs no data; False if it changes the data instead."""
        if fault.kind == "quota":
            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            reset = (fault.reset_time or midnight + timedelta(days=1)).astimezone(UTC)
            body = {
                "errorcode": fault.errorcode,
                "error": "Too many requests on the domain. Please contact the administrator.",
                "reset_time": reset.isoformat().replace("+00:00", "Z"),
                "limit_time_unit": "day",
                "call_limit": 10_000,
            }
            limits = {
                "X-RateLimit-Limit": "10000",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(reset.timestamp())),
            }
            self._answer_json(HTTPStatus.TOO_MANY_REQUESTS, body, limits)
        elif fault.kind == "server_error":
            self._answer(fault.status, b"", "text/html")
        elif fault.kind == "bad_request":
            refusal = _odsql_error("Unknown field: told_to_fail")
            self._answer_json(refusal.status, refusal.body)
        elif fault.kind == "unauthorized":
            self._answer_unauthorized()
        elif fault.kind == "missing_dataset":
            self._answer_not_found()
        elif fault.kind == "stall":
            self.portal._stopping.wait(timeout=3600)
            self.close_connection = True
        else:
            return False
        return True

    def _answer_not_found(self) -> None:
        # The API's text does not specify this body, so a client that parses it must fail here.
        self._answer(HTTPStatus.NOT_FOUND, b"<h1>Not Found</h1>", "text/html")

    def _answer_unauthorized(self) -> None:
        self._answer(HTTPStatus.UNAUTHORIZED, b"Unauthorized", "text/plain")

    # Answers from a dataset.

    def _answer_dataset(self, folder: Path, fault: Fault | None) -> None:
        recorded = (folder / "dataset.json").read_bytes()
        moves = self.portal._moves_so_far(folder.name)
        is_miscounted = fault is not None and fault.kind == "wrong_count"
        if moves or is_miscounted:
            document = json.loads(recorded)
            metas = document["metas"]["default"]
            if fault is not None and is_miscounted:
                metas["records_count"] += fault.off_by
            if moves:
                processed = datetime.fromisoformat(metas["data_processed"])
                metas["data_processed"] = (processed + timedelta(hours=moves)).isoformat()
            recorded = json.dumps(document, ensure_ascii=False).encode()
        self._answer(HTTPStatus.OK, recorded, "application/json; charset=utf-8")

    def _answer_records(self, folder: Path, query: dict[str, str], fault: Fault | None) -> None:
        limit = _whole_number(query, "limit", DEFAULT_LIMIT)
        offset = _whole_number(query, "offset", 0)
        if limit > MAX_LIMIT:
            raise _parameter_error(f"limit: {limit} was found but <= {MAX_LIMIT} is expected.")
        if offset + limit >= MAX_WINDOW:
            raise _parameter_error(
                f"offset + limit: {offset + limit} was found but < {MAX_WINDOW} is expected."
            )
        where, predicate = _selection(folder, query)
        records = folder / "records.jsonl"
        total = self.portal._count(records, where, predicate)
        if fault is not None and fault.kind == "wrong_count":
            total += fault.off_by
        page = islice(_lines(records, predicate), offset, offset + limit) if limit else ()
        results = b", ".join(line.rstrip(b"\r\n") for line in page)
        body = b'{"total_count": %d, "results": [%b]}' % (total, results)
        self._answer(HTTPStatus.OK, body, "application/json; charset=utf-8")

    def _answer_export(
        self, folder: Path, form: str, query: dict[str, str], fault: Fault | None
    ) -> None:
        if form not in ("jsonl", "json"):
            raise _parameter_error(f"format: this replay serves json and jsonl, not {form!r}.")
        if refused := sorted({"limit", "offset"} & query.keys()):
            raise _parameter_error(f"{refused[0]}: a whole export takes none.")
        where, predicate = _selection(folder, query)
        records = folder / "records.jsonl"
        if predicate is not None:
            # A line that cannot be read is told before the stream begins.
            self.portal._count(records, where, predicate)
        kind = fault.kind if fault is not None else None

        def lines() -> Iterator[bytes]:
            found = _lines(records, predicate)
            if fault is None:
                return found
            if kind == "empty_but_ok":
                return iter(())
            if kind == "truncated_but_ok":
                return islice(found, fault.records)
            if kind == "garbage_line":
                return _with_line(found, fault.records, fault.line + b"\n")
            return found

        def body() -> Iterator[bytes]:
            return lines() if form == "jsonl" else _as_array(lines())

        content_type = {"jsonl": "application/jsonl", "json": "application/json"}[form]
        if fault is not None and kind == "cut_stream":
            self._send_cut(body, content_type, fault)
        elif fault is not None and kind == "slow_body":
            self._send_chunked(_slowed(body(), fault.delay_s, self.portal._stopping), content_type)
        else:
            self._send_chunked(_batched(body()), content_type)

    # The wire.

    def _answer(
        self,
        status: int,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _answer_json(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        encoded = json.dumps(body).encode()
        self._answer(status, encoded, "application/json; charset=utf-8", headers)

    def _start_chunked(self, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _send_chunked(self, chunks: Iterable[bytes], content_type: str) -> None:
        self._start_chunked(content_type)
        for chunk in chunks:
            self._send_chunk(chunk)
        self.wfile.write(b"0\r\n\r\n")

    def _send_cut(
        self, body: Callable[[], Iterator[bytes]], content_type: str, fault: Fault
    ) -> None:
        size = fault.size
        if size is None:
            pieces = [len(piece) for piece in islice(body(), fault.records + 1)]
            size = sum(pieces[: fault.records]) + sum(pieces[fault.records :]) // 2
        if fault.framing == "length":
            total = sum(len(piece) for piece in body())
            size = min(size, total - 1)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(total))
            self.end_headers()
            send = self.wfile.write
        else:
            self._start_chunked(content_type)
            send = self._send_chunk  # type: ignore[assignment]
        for chunk in _batched(body()):
            if part := chunk[:size]:
                send(part)
            size -= len(part)
            if size <= 0:
                break
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise _parameter_error(f"{name}: {text!r} was found but a whole number >= 0 is expected.")
    return int(text)


def _parameter_error(what: str) -> _Refusal:
    return _Refusal(400, "InvalidRESTParameterError", f"Invalid value for API parameter {what}")


def _odsql_error(what: str) -> _Refusal:
    return _Refusal(
        400,
        "ODSQLError",
        f"ODSQL query is malformed: {what}. Clause(s) containing the error(s): where.",
    )


def _selection(folder: Path, query: Mapping[str, str]) -> tuple[str, Predicate | None]:
    if unknown := sorted(_NOT_IMPLEMENTED & query.keys()):
        raise _parameter_error(f"{unknown[0]}: the replay portal does not implement it.")
    where = query.get("where", "").strip()
    if not where:
        return "", None
    document = json.loads((folder / "dataset.json").read_bytes())
    try:
        return where, parse_where(where, {entry["name"] for entry in document["fields"]})
    except ValueError as error:
        raise _odsql_error(str(error)) from error
    except NotInThisReplayError as error:
        raise _parameter_error(f"where: the replay portal does not implement {error}.") from error


# Streams of lines.


def _lines(records: Path, predicate: Predicate | None) -> Iterator[bytes]:
    with records.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                is_selected = predicate is None or predicate(orjson.loads(line))
            except (ValueError, AttributeError) as error:  # AttributeError: no object
                message = f"The recorded file {records} is broken in line {number}: {error}"
                raise _Refusal(400, "BrokenRecording", message) from error
            if is_selected:
                yield line


def _with_line(lines: Iterator[bytes], position: int, extra: bytes) -> Iterator[bytes]:
    yield from islice(lines, position)
    yield extra
    yield from lines


def _as_array(lines: Iterator[bytes]) -> Iterator[bytes]:
    start = b"["
    for line in lines:
        yield start + line.rstrip(b"\r\n")
        start = b","
    yield b"]" if start == b"," else b"[]"


def _batched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def _slowed(pieces: Iterable[bytes], delay_s: float, stopping: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if stopping.wait(timeout=delay_s):
            raise ConnectionResetError("the replay portal stops")
        yield piece
