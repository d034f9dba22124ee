"""A small HTTP server that answers like an Explore API v2.1 portal, from a recorded state.

A recorded state is a folder ``STATE/<host>/<dataset>/{dataset.json,records.jsonl}``. It is served
under ``/<host>/api/explore/v2.1/catalog/datasets/<dataset>``: the metadata as recorded,
``/records`` with the API's limits, ``/exports/jsonl`` and ``/exports/json`` as one stream. Records
leave byte for byte as they were recorded, and a file is never held in memory.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from ingestion.errors import SettingsError
from sandbox.odsql import NotInThisReplayError, Predicate, parse_where

logger = logging.getLogger(__name__)

MAX_LIMIT = 100
MAX_WINDOW = 10_000
DEFAULT_LIMIT = 10
CHUNK_BYTES = 64 * 1024
JSON = "application/json; charset=utf-8"

_PATH = re.compile(
    r"^/(?P<host>\w[\w.-]*)/api/explore/v2\.1/catalog/datasets/(?P<dataset>[\w@-][\w.@-]*)"
    r"(?:/(?P<endpoint>records|exports)(?:/(?P<format>\w+))?)?/?$"
)
# Parameters that change the answer and that this server does not implement: refused, not ignored.
_NOT_IMPLEMENTED = frozenset({"select", "order_by", "group_by", "refine", "exclude"})


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
        _check_recording(folder)
    return found


def _check_recording(folder: Path) -> None:
    """Refuse files that no portal could have sent; a single bad line is for the run to judge."""
    path, records = folder / "dataset.json", folder / "records.jsonl"
    if not records.is_file():
        raise SettingsError(f"{folder} has a dataset.json but no records.jsonl.")
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
    with records.open("rb") as file:
        start = file.read(CHUNK_BYTES).lstrip()
    if start and not start.startswith(b"{"):
        raise SettingsError(
            f"{records} does not hold one JSON object a line: it begins with {start[:20]!r}. "
            "Record the export `jsonl`, not `json` or `csv`."
        )


class ReplayPortal:
    """Serves a recorded state on 127.0.0.1, in a daemon thread, while the context is open.

    Args:
        state: folder ``<host>/<dataset>/{dataset.json,records.jsonl}``.
        port: 0 takes a free one.

    Raises:
        SettingsError: the folder is not a recorded state (on construction), or the port is taken
            (on entering).
    """

    def __init__(self, state: Path, *, port: int = 0) -> None:
        recorded_datasets(state)
        self.state = state
        self.stopping = threading.Event()
        self._port = port
        self._counts: dict[tuple[Path, str], tuple[tuple[int, int], int]] = {}
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(("127.0.0.1", self._port), partial(self._handler(), self))
        except OSError as error:
            raise SettingsError(
                f"Cannot serve on 127.0.0.1:{self._port}: {error.strerror}; choose another port."
            ) from error
        serve = partial(self._server.serve_forever, 0.05)
        threading.Thread(target=serve, name="replay-portal", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, known once the context is open."""
        if self._server is None:
            raise RuntimeError("the replay portal is not running: use it as a context manager")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def base_url(self, host: str) -> str:
        """What stands for ``https://<host>``."""
        return f"{self.url}/{host}"

    def count(self, records: Path, where: str, predicate: Predicate | None) -> int:
        """How many records a filter selects, counted once for each state of the file."""
        stat = records.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._counts.get((records, where))
        if known is None or known[0] != version:
            known = (version, sum(1 for _ in _lines(records, predicate)))
            self._counts[records, where] = known
        return known[1]

    def _handler(self) -> type[Handler]:
        return Handler


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


class Asked(NamedTuple):
    """What a request wants."""

    folder: Path
    """Of the dataset, in the recorded state; it may not exist."""
    endpoint: str
    """``dataset``, ``records`` or ``exports``."""
    form: str
    """Of an export, else empty."""
    query: dict[str, str]


class Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    """A 400 in the portal's words."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.body = json.dumps({"error_code": error_code, "message": message}).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection. Tests that need a portal to misbehave override the public methods."""

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
        """Answer a request; a client that hangs up meanwhile is no error."""
        url = urlsplit(self.path)
        match = _PATH.match(unquote(url.path))
        try:
            if match is None or (match["endpoint"] == "records" and match["format"]):
                self.answer_not_found()
                return
            folder = self.portal.state / match["host"] / match["dataset"]
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            endpoint = match["endpoint"] or "dataset"
            self.respond(Asked(folder, endpoint, match["format"] or "", query))
        except Refusal as refusal:
            self.answer(HTTPStatus.BAD_REQUEST, refusal.body, JSON)
        except OSError:
            self.close_connection = True

    def respond(self, asked: Asked) -> None:
        """Answer a request whose path is one of the API's."""
        if not (asked.folder / "dataset.json").is_file():
            self.answer_not_found()
        elif asked.endpoint == "dataset":
            self.answer(HTTPStatus.OK, self.metadata(asked.folder), JSON)
        elif asked.endpoint == "records":
            self._answer_records(asked)
        else:
            self._answer_export(asked)

    def metadata(self, folder: Path) -> bytes:
        """The dataset's document."""
        return (folder / "dataset.json").read_bytes()

    def total(self, records: Path, where: str, predicate: Predicate | None) -> int:
        """The count that is announced."""
        return self.portal.count(records, where, predicate)

    def export(self, lines: Callable[[], Iterator[bytes]], form: str) -> None:
        """Send an export; each call of ``lines`` gives its records from the first on."""
        self.send_chunked(batched(lines() if form == "jsonl" else as_array(lines())), form)

    def _answer_records(self, asked: Asked) -> None:
        limit = _whole_number(asked.query, "limit", DEFAULT_LIMIT)
        offset = _whole_number(asked.query, "offset", 0)
        if limit > MAX_LIMIT:
            raise _parameter_error(f"limit: {limit} was found but <= {MAX_LIMIT} is expected.")
        if offset + limit >= MAX_WINDOW:
            raise _parameter_error(
                f"offset + limit: {offset + limit} was found but < {MAX_WINDOW} is expected."
            )
        where, predicate = _selection(asked)
        records = asked.folder / "records.jsonl"
        total = self.total(records, where, predicate)
        page = islice(_lines(records, predicate), offset, offset + limit) if limit else ()
        results = b", ".join(line.rstrip(b"\r\n") for line in page)
        body = b'{"total_count": %d, "results": [%b]}' % (total, results)
        self.answer(HTTPStatus.OK, body, JSON)

    def _answer_export(self, asked: Asked) -> None:
        if asked.form not in ("jsonl", "json"):
            raise _parameter_error(
                f"format: this replay serves json and jsonl, not {asked.form!r}."
            )
        if refused := sorted({"limit", "offset"} & asked.query.keys()):
            raise _parameter_error(f"{refused[0]}: a whole export takes none.")
        where, predicate = _selection(asked)
        records = asked.folder / "records.jsonl"
        if predicate is not None:
            # A line that cannot be read is told before the stream begins.
            self.portal.count(records, where, predicate)
        self.export(partial(_lines, records, predicate), asked.form)

    # The wire.

    def answer_not_found(self) -> None:
        """404: the API's text does not specify this body, so a client must not parse it."""
        self.answer(HTTPStatus.NOT_FOUND, b"<h1>Not Found</h1>", "text/html")

    def answer(
        self, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a body of known length."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def start_chunked(self, form: str) -> None:
        """Begin a body of unknown length."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"application/{form}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data: bytes) -> None:
        """Send a part of it; an empty one is its end."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def send_chunked(self, chunks: Iterable[bytes], form: str) -> None:
        """Send a whole body as it comes."""
        self.start_chunked(form)
        for chunk in chunks:
            self.send_chunk(chunk)
        self.send_chunk(b"")


def _whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise _parameter_error(f"{name}: {text!r} was found but a whole number >= 0 is expected.")
    return int(text)


def _parameter_error(what: str) -> Refusal:
    return Refusal("InvalidRESTParameterError", f"Invalid value for API parameter {what}")


def odsql_error(what: str) -> Refusal:
    """A filter that is wrong."""
    return Refusal(
        "ODSQLError",
        f"ODSQL query is malformed: {what}. Clause(s) containing the error(s): where.",
    )


def _selection(asked: Asked) -> tuple[str, Predicate | None]:
    if unknown := sorted(_NOT_IMPLEMENTED & asked.query.keys()):
        raise _parameter_error(f"{unknown[0]}: the replay portal does not implement it.")
    where = asked.query.get("where", "").strip()
    if not where:
        return "", None
    document = json.loads((asked.folder / "dataset.json").read_bytes())
    try:
        return where, parse_where(where, {entry["name"] for entry in document["fields"]})
    except ValueError as error:
        raise odsql_error(str(error)) from error
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
            except (ValueError, AttributeError) as error:  # AttributeError: it is no object
                message = f"The recorded file {records} is broken in line {number}: {error}"
                raise Refusal("BrokenRecording", message) from error
            if is_selected:
                yield line


def as_array(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of JSON as one JSON array."""
    start = b"["
    for line in lines:
        yield start + line.rstrip(b"\r\n")
        start = b","
    yield b"]" if start == b"," else b"[]"


def batched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of a size worth sending."""
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
