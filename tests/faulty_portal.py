"""A replay portal that misbehaves, when told to, in the ways real portals do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox import portal
from sandbox.portal import JSON, Asked, ReplayPortal, as_array, batched

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
    """One request as it arrived. Headers are lower case and without secrets."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class FaultyPortal(ReplayPortal):
    """A replay portal with faults, which remembers what it was asked.

    Args:
        state: as for `ReplayPortal`.
        port: likewise.
        faults: how to misbehave.
        api_key: if given, a request without ``Authorization: Apikey <it>`` gets a 401.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        faults: Sequence[Fault] = (),
        api_key: str | None = None,
    ) -> None:
        super().__init__(state, port=port)
        self.requests: list[Request] = []
        self.api_key = api_key
        self._active = [_ActiveFault(fault) for fault in faults]
        self._lock = threading.Lock()

    def add_fault(self, fault: Fault) -> None:
        """Misbehave so from the next request on."""
        with self._lock:
            self._active.append(_ActiveFault(fault))

    def fault_for(self, dataset: str, endpoint: str) -> Fault | None:
        with self._lock:
            for active in self._active:
                if active.fault.strikes(dataset, endpoint) and active.take():
                    return active.fault
        return None

    def moves_so_far(self, dataset: str) -> int:
        with self._lock:
            return sum(
                active.taken
                for active in self._active
                if active.fault.kind == "processed_moves"
                and active.fault.dataset in (None, dataset)
            )

    def _handler(self) -> type[portal.Handler]:
        return FaultyHandler


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


class FaultyHandler(portal.Handler):
    portal: FaultyPortal
    fault: Fault | None = None

    def respond(self, asked: Asked) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorization = headers.pop("authorization", None)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.portal.requests.append(Request(self.command, unquote(url.path), query, headers))
        if self.portal.api_key is not None and authorization != f"Apikey {self.portal.api_key}":
            self.answer_unauthorized()
            return
        self.fault = self.portal.fault_for(asked.folder.name, asked.endpoint)
        if self.fault is None or not self._answer_badly(self.fault):
            super().respond(asked)

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
            status = HTTPStatus.TOO_MANY_REQUESTS
            self.answer(status, json.dumps(body).encode(), JSON, limits)
        elif fault.kind == "server_error":
            self.answer(fault.status, b"", "text/html")
        elif fault.kind == "bad_request":
            raise portal.odsql_error("Unknown field: told_to_fail")
        elif fault.kind == "unauthorized":
            self.answer_unauthorized()
        elif fault.kind == "missing_dataset":
            self.answer_not_found()
        elif fault.kind == "stall":
            self.portal.stopping.wait(timeout=3600)
            self.close_connection = True
        else:
            return False
        return True

    def answer_unauthorized(self) -> None:
        self.answer(HTTPStatus.UNAUTHORIZED, b"Unauthorized", "text/plain")

    def metadata(self, folder: Path) -> bytes:
        document = json.loads(super().metadata(folder))
        metas = document["metas"]["default"]
        moves = self.portal.moves_so_far(folder.name)
        if self.fault is not None and self.fault.kind == "wrong_count":
            metas["records_count"] += self.fault.off_by
        elif moves:
            processed = datetime.fromisoformat(metas["data_processed"])
            metas["data_processed"] = (processed + timedelta(hours=moves)).isoformat()
        else:
            return super().metadata(folder)
        return json.dumps(document, ensure_ascii=False).encode()

    def total(self, records: Path, where: str, predicate: Any) -> int:
        is_wrong = self.fault is not None and self.fault.kind == "wrong_count"
        return super().total(records, where, predicate) + (self.fault.off_by if is_wrong else 0)  # type: ignore[union-attr]

    def export(self, lines: Callable[[], Iterator[bytes]], form: str) -> None:
        fault = self.fault
        kind = fault.kind if fault else None

        def sent() -> Iterator[bytes]:
            if fault and kind == "empty_but_ok":
                return iter(())
            if fault and kind == "truncated_but_ok":
                return islice(lines(), fault.records)
            if fault and kind == "garbage_line":
                return _with_line(lines(), fault.records, fault.line + b"\n")
            return lines()

        if fault and kind == "cut_stream":
            self._send_cut(lambda: sent() if form == "jsonl" else as_array(sent()), form, fault)
        elif fault and kind == "slow_body":
            self.send_chunked(self._slowed(sent(), fault.delay_s), form)
        else:
            super().export(sent, form)

    def _slowed(self, pieces: Iterator[bytes], delay_s: float) -> Iterator[bytes]:
        for piece in pieces:
            if self.portal.stopping.wait(timeout=delay_s):
                raise ConnectionResetError("the replay portal stops")
            yield piece

    def _send_cut(self, body: Callable[[], Iterator[bytes]], form: str, fault: Fault) -> None:
        size = fault.size
        if size is None:
            pieces = [len(piece) for piece in islice(body(), fault.records + 1)]
            size = sum(pieces[: fault.records]) + sum(pieces[fault.records :]) // 2
        send: Callable[[bytes], Any] = self.send_chunk
        if fault.framing == "length":
            total = sum(len(piece) for piece in body())
            size = min(size, total - 1)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"application/{form}")
            self.send_header("Content-Length", str(total))
            self.end_headers()
            send = self.wfile.write
        else:
            self.start_chunked(form)
        for chunk in batched(body()):
            if part := chunk[:size]:
                send(part)
            size -= len(part)
            if size <= 0:
                break
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _with_line(lines: Iterator[bytes], position: int, extra: bytes) -> Iterator[bytes]:
    yield from islice(lines, position)
    yield extra
    yield from lines
