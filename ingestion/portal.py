"""Client of the portals' Explore API v2.1: probe a dataset, stream it whole, verify the pull.

A pull is one ``/exports/jsonl`` stream and never pages of ``/records``: the API promises no order
and no snapshot between pages, and ends them at 10 000 records. A stream has no offset either, so
one that breaks off is pulled again from its start, by the caller, who alone knows what to undo.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from ipaddress import ip_address
from itertools import chain
from types import TracebackType
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
)
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ingestion.canonical import MAX_RECORD_BYTES
from ingestion.errors import (
    IncompletePullError,
    PortalError,
    PortalRefusedError,
    PortalUnreachableError,
    QuotaExceededError,
    SettingsError,
    UnknownDatasetError,
)
from ingestion.errors import PortalMovedError as PortalMovedError
from ingestion.registry import Dataset

logger = logging.getLogger(__name__)

MAX_LINE_BYTES = 2 * MAX_RECORD_BYTES
"""A record too large to keep is still handed over whole, for the quarantine. Beyond this a line is
no record but a portal that does not send lines, and the pull fails: memory stays bounded."""

RETRY_FOR_S = 10.0
"""No attempt begins later than this after the first one, so that two unreachable portals are told
within a minute."""

_READ_BYTES = 256 * 1024
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_MAX_REDIRECTS = 3
_MIN_BYTES_PER_S = 1024
_QUOTA_WAIT_MIN_S = 5.0  # a reset time that has just passed must not become a busy loop
_MAX_BACK_OFF_S = 30.0

_T = TypeVar("_T")


class Timeouts(NamedTuple):
    """Seconds a portal may take."""

    connect: float = 4.0
    """To accept a connection, for each of its addresses."""
    read: float = 20.0
    """Between two arrivals of bytes."""
    export: float = 60.0
    """The same, in an export, which the portal computes while it sends."""
    slow: float = 60.0
    """A body that comes slower than 1 kB/s over this span is given up."""


@dataclass(frozen=True)
class Drift:
    """One difference between the fields a portal announces and those the registry expects."""

    kind: Literal["added", "gone", "retyped"]
    field: str
    expected: str | None
    """The registry's types, e.g. ``text or int``; None for ``added``."""
    found: str | None
    """The portal's type; None for ``gone``."""

    def as_ledger(self) -> dict[str, str | None]:
        """The entry of ``drift`` in docs/architecture.md."""
        return {
            "kind": self.kind,
            "field": self.field,
            "expected": self.expected,
            "found": self.found,
        }


@dataclass(frozen=True)
class Probe:
    """What a portal says about a dataset, without its records."""

    records_count: int
    """Of the registry's selection: what a complete pull must bring."""
    portal_records_count: int | None
    """Of the whole dataset, by its metadata."""
    data_processed: str | None
    modified: str | None
    metadata_processed: str | None
    """The portal's own dates, ISO text as sent."""
    fields: dict[str, str]
    """Field name → API type, in the portal's order."""
    is_synthetic: bool
    """True for the synthetic sample, which says so in its metadata."""
    drift: tuple[Drift, ...]
    registry_fingerprint: str

    @property
    def fields_hash(self) -> str:
        """SHA-256 of the fields' names and types, in any order."""
        return sha256(json.dumps(sorted(self.fields.items())).encode()).hexdigest()

    def as_ledger(self) -> dict[str, Any]:
        """The entry `portal` of a load in docs/architecture.md."""
        return {
            "data_processed": self.data_processed,
            "modified": self.modified,
            "metadata_processed": self.metadata_processed,
            "records_count": self.records_count,
            "fields_hash": self.fields_hash,
            "registry_fingerprint": self.registry_fingerprint,
            "is_synthetic": self.is_synthetic,
        }


_FINGERPRINT = ("data_processed", "records_count", "fields_hash", "registry_fingerprint")


def decide_refresh(
    probe: Probe,
    last: Mapping[str, Any] | None,
    *,
    last_full_pull_at: datetime | None,
    max_age: timedelta,
    now: datetime,
    force: bool = False,
) -> str | None:
    """Why a dataset must be pulled, or None where nothing says so.

    Args:
        probe: what the portal says now.
        last: `Probe.as_ledger` of the latest finished load, if there is one.
        last_full_pull_at: when the dataset was last pulled in full, UTC.
        max_age: pull again at this age, whatever the portal says.
        now: UTC.
        force: pull in any case.
    """
    if force:
        return "asked for"
    if last is None or last_full_pull_at is None:
        return "never pulled"
    if probe.data_processed is None:
        return "the portal does not say when it processed the data"
    current = probe.as_ledger()
    for name in _FINGERPRINT:
        if current[name] != last.get(name):
            return f"{name} is {current[name]}, was {last.get(name)}"
    age = now - last_full_pull_at
    if age >= max_age:
        return f"last pulled in full {age.days} days ago"
    if age < timedelta(0):
        return "last pulled in full in the future, by this machine's clock"
    return None


class PortalClient:
    """Reads the portals of the registry. A context manager; not for use from several threads.

    Every method raises, with a message that says which dataset and what to do:

    - `PortalUnreachableError`: no connection, no answer in time, 5xx, or something else than the
      portal answered, after bounded retries with exponential back-off.
    - `PortalRefusedError`: 400, 401, 403, another 4xx, or a redirect to elsewhere. Not retried.
    - `UnknownDatasetError`: 404.
    - `QuotaExceededError`: 429, and the quota frees later than `wait_budget_s` allows to wait.

    Args:
        base_urls: portal name → base URL instead of the registry's, for the replay portal: https,
            or http on loopback.
        api_keys: portal name → API key. Sent as a header, to the portal's own address only.
        timeouts: see `Timeouts`.
        attempts: how often a request is sent before it counts as failed.
        wait_budget_s: how long the client may wait in all for used-up quotas, in seconds.
        sleep: replaces `time.sleep`.

    Raises:
        SettingsError: a base URL or an API key cannot be used.
    """

    def __init__(
        self,
        *,
        base_urls: Mapping[str, str] | None = None,
        api_keys: Mapping[str, str] | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        attempts: int = 4,
        wait_budget_s: float = 900.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_urls = {name: _checked_base_url(url) for name, url in (base_urls or {}).items()}
        self._auth = {name: _ApiKey(name, key) for name, key in (api_keys or {}).items()}
        self._timeouts = timeouts
        self._attempts = attempts
        self._wait_left_s = wait_budget_s
        self._sleep = sleep
        self._sessions: dict[str, requests.Session] = {}
        self._answered: set[str] = set()
        self._silent: dict[str, str] = {}

    def __enter__(self) -> PortalClient:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def probe(self, dataset: Dataset) -> Probe:
        """Read a dataset's metadata and, where the registry filters it, the selection's count."""
        document = self._document(dataset, "")
        try:
            metas = document["metas"]["default"]
            portal_count = metas.get("records_count")
            fields = {str(entry["name"]): str(entry["type"]) for entry in document["fields"]}
        except (KeyError, TypeError, AttributeError) as error:
            raise PortalError(
                f"{dataset.dataset_id}: {self._host(dataset)} sent metadata that are not those of "
                f"the Explore API v2.1 ({type(error).__name__}: {error}). Has the API changed?"
            ) from error
        if dataset.where is None and type(portal_count) is int:
            records_count = portal_count
        else:
            records_count = self._selected_count(dataset)
        return Probe(
            records_count=records_count,
            portal_records_count=portal_count if type(portal_count) is int else None,
            data_processed=_text(metas.get("data_processed")),
            modified=_text(metas.get("modified")),
            metadata_processed=_text(metas.get("metadata_processed")),
            fields=fields,
            is_synthetic=document.get("synthetic") is True,
            drift=_drift(dataset, fields),
            registry_fingerprint=dataset.fingerprint,
        )

    def stream_lines(self, dataset: Dataset) -> Iterator[list[bytes]]:
        r"""Stream the registry's selection of a dataset, as one export.

        Yields:
            Lines as received, without the line feed; blank ones are left out. At most about 256 kB
            and the rest of one line at a time.

        Raises:
            PortalUnreachableError: the stream did not begin.
            IncompletePullError: it broke off, came slower than `Timeouts` allows, or holds a line
                longer than `MAX_LINE_BYTES`. What was yielded is not the dataset: pull again.
        """
        response, first = self._with_retries(dataset, lambda: self._open_export(dataset))
        # Without a length or chunks, the end of the connection is all that marks the end.
        is_framed = "Content-Length" in response.headers or (
            "Transfer-Encoding" in response.headers
        )
        rows = 0
        with closing(response):
            lines = _Lines(is_framed)
            try:
                for chunk in chain([first], self._chunks(response, self._timeouts.export)):
                    if batch := lines.feed(chunk):
                        rows += len(batch)
                        yield batch
                if batch := lines.end():
                    yield batch
            except (_BodyError, _LineError) as error:
                raise IncompletePullError(
                    f"{dataset.dataset_id}: the export from {self._host(dataset)} broke off after "
                    f"{rows} rows: {error}. Nothing of it is kept."
                ) from error

    def verify_pull(self, dataset: Dataset, before: Probe, rows_received: int) -> None:
        """Compare a finished pull with what the portal announced before it and announces now.

        Raises:
            PortalMovedError: the portal published other data meanwhile: probe and pull once more.
            IncompletePullError: the rows received are not the rows announced.
        """
        after = self.probe(dataset)
        before_, after_ = before.as_ledger(), after.as_ledger()
        if moved := [name for name in _FINGERPRINT if before_[name] != after_[name]]:
            changes = "; ".join(f"{name} {before_[name]} → {after_[name]}" for name in moved)
            raise PortalMovedError(
                f"{dataset.dataset_id}: {self._host(dataset)} published other data during the pull "
                f"({changes}), so what was read may be a mixture. Run again later."
            )
        if rows_received != before.records_count:
            raise IncompletePullError(
                f"{dataset.dataset_id}: {rows_received} rows received, {before.records_count} "
                f"announced by {self._host(dataset)}. Nothing of this pull is kept; run again, and "
                "if it stays so, compare the filter in ingestion/datasets.yml with the portal."
            )

    def back_off(self, attempt: int) -> None:
        """Wait before pulling again: up to 1, 2, 4 … seconds for attempt 1, 2, 3 …, at most 30."""
        self._sleep(_pause_s(attempt))

    # Requests.

    def _open_export(self, dataset: Dataset) -> tuple[requests.Response, bytes]:
        """The export's response and its first bytes, so that all before them can be retried."""
        query = {"timezone": "UTC"} | _where(dataset)
        response = self._get(dataset, "/exports/jsonl", query, self._timeouts.export)
        try:
            _refuse_html(dataset, response)
            first = next(self._chunks(response, self._timeouts.export), b"")
        except _BodyError as error:
            response.close()
            raise self._unreachable(dataset, f"its answer broke off: {error}") from error
        except BaseException:
            response.close()
            raise
        return response, first

    def _selected_count(self, dataset: Dataset) -> int:
        count = self._document(dataset, "/records", {"limit": "0"} | _where(dataset)).get(
            "total_count"
        )
        if type(count) is not int or count < 0:
            raise PortalError(
                f"{dataset.dataset_id}: {self._host(dataset)} gives no `total_count` ({count!r}). "
                "Has the API changed?"
            )
        return count

    def _document(
        self, dataset: Dataset, path: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return self._with_retries(dataset, lambda: self._document_once(dataset, path, query or {}))

    def _document_once(
        self, dataset: Dataset, path: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        with closing(self._get(dataset, path, query, self._timeouts.read)) as response:
            _refuse_html(dataset, response)
            try:
                body = _limited(self._chunks(response, self._timeouts.read), _MAX_DOCUMENT_BYTES)
                document = json.loads(body)
            except _BodyError as error:
                raise self._unreachable(dataset, f"its answer broke off: {error}") from error
            except (ValueError, RecursionError) as error:
                raise self._unreachable(dataset, "its answer is not JSON") from error
        if not isinstance(document, dict):
            raise self._unreachable(dataset, "its answer is not a JSON object")
        return document

    def _with_retries(self, dataset: Dataset, action: Callable[[], _T]) -> _T:
        host = self._host(dataset)
        if host in self._silent:
            raise self._unreachable(dataset, self._silent[host])

        def log(state: RetryCallState) -> None:
            error = state.outcome and state.outcome.exception()
            if isinstance(error, _RetryableError):
                name = dataset.dataset_id
                logger.warning("%s: %s: %s; trying again", name, host, error.what)

        retrying = Retrying(
            retry=retry_if_exception_type(_RetryableError),
            stop=stop_after_attempt(self._attempts) | stop_after_delay(RETRY_FOR_S),
            wait=lambda state: _pause_s(state.attempt_number),
            sleep=self._sleep,
            before_sleep=log,
            reraise=True,
        )
        try:
            return retrying(action)
        except _RetryableError as error:
            # Else every further dataset of a portal that is out of reach would wait as long.
            if host not in self._answered:
                self._silent[host] = error.what
            raise

    def _get(
        self, dataset: Dataset, path: str, query: Mapping[str, str], read_timeout: float
    ) -> requests.Response:
        """One GET, its quota waited for, its redirects followed, its status 200."""
        base_url = self._base_url(dataset)
        url = f"{base_url}/api/explore/v2.1/catalog/datasets/{quote(dataset.dataset_id)}{path}" + (
            "?" + urlencode(query, quote_via=quote) if query else ""
        )
        while True:
            response = self._follow(dataset, url, read_timeout)
            if response.status_code == 200:
                return response
            with closing(response):
                if response.status_code == 429:
                    self._wait_for_quota(dataset, response)
                else:
                    self._refuse(dataset, response)

    def _follow(self, dataset: Dataset, url: str, read_timeout: float) -> requests.Response:
        auth: AuthBase = self._auth.get(dataset.portal.name, _ANONYMOUS)
        origin = _origin(url)
        for _ in range(1 + _MAX_REDIRECTS):
            response = self._send(dataset, url, auth, read_timeout)
            if not response.is_redirect:
                return response
            response.close()
            try:
                url = urljoin(url, response.headers["Location"])
                target = _origin(url)
            except ValueError:
                target = None
            if target != origin:
                raise PortalRefusedError(
                    f"{dataset.dataset_id}: {self._host(dataset)} redirects to another address"
                    f"{f' ({target[0]}://{target[1]})' if target else ''}, which is not followed. "
                    "If the portal has moved, change its `base_url` in ingestion/datasets.yml."
                )
            auth = _ANONYMOUS
        raise PortalRefusedError(
            f"{dataset.dataset_id}: {self._host(dataset)} redirects in a circle."
        )

    def _send(
        self, dataset: Dataset, url: str, auth: AuthBase, read_timeout: float
    ) -> requests.Response:
        try:
            response = self._session(dataset).get(
                url,
                auth=auth,
                stream=True,
                allow_redirects=False,
                timeout=(self._timeouts.connect, read_timeout),
            )
        except requests.exceptions.SSLError as error:
            raise PortalUnreachableError(
                f"{dataset.dataset_id}: no trusted TLS connection to {self._host(dataset)} "
                f"({_cause(error)}). Behind a proxy with its own certificate authority, name its "
                "file in REQUESTS_CA_BUNDLE."
            ) from error
        except requests.exceptions.ConnectTimeout as error:
            raise self._unreachable(
                dataset, f"no connection within {self._timeouts.connect:g} s"
            ) from error
        except requests.exceptions.Timeout as error:
            raise self._unreachable(dataset, f"no answer within {read_timeout:g} s") from error
        except requests.exceptions.RequestException as error:
            raise self._unreachable(dataset, _cause(error)) from error
        self._answered.add(self._host(dataset))
        return response

    def _session(self, dataset: Dataset) -> requests.Session:
        name = dataset.portal.name
        if name not in self._sessions:
            session = _Session()
            session.headers.update(
                {
                    "User-Agent": f"paris-colleges/{_version()}",
                    "Accept": "application/json, application/jsonl;q=0.9, */*;q=0.1",
                    "Accept-Encoding": "gzip",
                }
            )
            # The environment's proxies are for the way out, not for this machine.
            session.trust_env = not _is_loopback(self._base_url(dataset))
            self._sessions[name] = session
        return self._sessions[name]

    def _chunks(self, response: requests.Response, read_timeout: float) -> Iterator[bytes]:
        """The body as it arrives, decoded.

        `read1` returns what one system call brings: `iter_content` would wait for a full buffer,
        and a portal that drips a byte now and then would never time out.
        """
        waited, received = 0.0, 0
        while True:
            started = time.monotonic()
            try:
                chunk = response.raw.read1(_READ_BYTES, decode_content=True)
            except ReadTimeoutError as error:
                raise _BodyError(f"no more bytes within {read_timeout:g} s") from error
            except HTTPError as error:
                raise _BodyError(_cause(error)) from error
            if not chunk:
                return
            waited += time.monotonic() - started
            received += len(chunk)
            if waited >= self._timeouts.slow:
                if received < waited * _MIN_BYTES_PER_S:
                    raise _BodyError(f"only {received} bytes came in {waited:.0f} s")
                waited, received = 0.0, 0
            yield chunk

    # Answers other than 200.

    def _wait_for_quota(self, dataset: Dataset, response: requests.Response) -> None:
        body = self._error_body(response)
        reset = _reset_time(body, response.headers)
        limit = ""
        if type(body.get("call_limit")) is int:
            unit = self._presentable(dataset, str(body.get("limit_time_unit")))
            limit = f" ({body['call_limit']} calls a {unit})"
        used_up = f"{dataset.dataset_id}: the quota at {self._host(dataset)} is used up{limit}"
        if reset is None:
            raise QuotaExceededError(
                f"{used_up}, and the portal does not say when it frees. Run again tomorrow."
            )
        frees = reset.isoformat(timespec="seconds")
        wait = max((reset - datetime.now(UTC)).total_seconds() + 1.0, _QUOTA_WAIT_MIN_S)
        if wait > self._wait_left_s:
            raise QuotaExceededError(
                f"{used_up}; it frees at {frees}, later than this run may wait. Run again after "
                f"that, or set {_key_variable(dataset.portal.name)} to use a quota of your own."
            )
        logger.warning("%s; waiting %.0f s until it frees at %s", used_up, wait, frees)
        self._wait_left_s -= wait
        self._sleep(wait)

    def _refuse(self, dataset: Dataset, response: requests.Response) -> NoReturn:
        status = response.status_code
        name, host = dataset.dataset_id, self._host(dataset)
        if status == 404:
            raise UnknownDatasetError(
                f"{name}: {host} does not know this dataset (404). Was it renamed or removed? "
                "See the portal's catalogue, then ingestion/datasets.yml."
            )
        if status in (401, 403):
            variable = _key_variable(dataset.portal.name)
            has_key = dataset.portal.name in self._auth
            raise PortalRefusedError(
                f"{name}: {host} denies access ({status}). "
                + (f"Check the API key in {variable}." if has_key else f"Set {variable}.")
            )
        if status in (408, 425) or status >= 500:
            raise self._unreachable(dataset, f"it answered {status}")
        body = self._error_body(response)
        said = ": ".join(str(body[key]) for key in ("error_code", "message") if key in body)
        said = self._presentable(dataset, said) or "it gives no reason"
        advice = (
            "Check this dataset's `where` in ingestion/datasets.yml against the portal's fields."
            if status == 400
            else "Has the API changed?"
        )
        raise PortalRefusedError(f"{name}: {host} refused the request ({status}, {said}). {advice}")

    def _error_body(self, response: requests.Response) -> dict[str, Any]:
        """What an error's body says, or nothing: not every error has one, or one in JSON."""
        try:
            body = json.loads(
                _limited(self._chunks(response, self._timeouts.read), _MAX_ERROR_BYTES)
            )
        except (_BodyError, ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    def _presentable(self, dataset: Dataset, text: str) -> str:
        """A portal's words on one line, short, and without the API key should it repeat it."""
        if auth := self._auth.get(dataset.portal.name):
            text = auth.redact(text)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= 300 else text[:299] + "…"

    def _unreachable(self, dataset: Dataset, what: str) -> _RetryableError:
        return _RetryableError(
            f"{dataset.dataset_id}: cannot read from {self._host(dataset)}: {what}. "
            "Without the portal, `make demo` runs on a synthetic sample and `make run PORTAL=DIR` "
            "on a recorded portal state.",
            what,
        )

    def _base_url(self, dataset: Dataset) -> str:
        return self._base_urls.get(dataset.portal.name, dataset.portal.base_url)

    def _host(self, dataset: Dataset) -> str:
        return urlsplit(self._base_url(dataset)).netloc


# --- errors inside --------------------------------------------------------------------------------


class _RetryableError(PortalUnreachableError):
    """Worth another attempt; after the last one it is what the caller sees."""

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what


class _BodyError(Exception):
    """A body that did not arrive whole; the message says why, in a few words."""


class _LineError(Exception):
    """A stream that cannot be cut into lines."""


def _cause(error: BaseException) -> str:
    """The innermost reason of a network error in plain words.

    Not its whole text: that holds the URL and may hold a proxy's password.
    """
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            pending += [current.__context__, current.__cause__, getattr(current, "reason", None)]
            pending += current.args
    for found in reversed(seen):
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
    names = {"IncompleteRead": "the connection ended too early"}
    names |= {"RemoteDisconnected": "the connection ended without an answer"}
    for found in seen:
        if known := names.get(type(found).__name__):
            return known
    return type(error).__name__


# --- small parts ----------------------------------------------------------------------------------


class _ApiKey(AuthBase):
    """Sets the header; its `repr` is the plain object's, so that no log can show the key."""

    def __init__(self, portal_name: str, key: str) -> None:
        self._key = key.strip()
        if not self._key or any(not "!" <= character <= "~" for character in self._key):
            raise SettingsError(
                f"{_key_variable(portal_name)} is not an API key: printable ASCII without spaces "
                "is expected."
            )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Apikey {self._key}"
        return request

    def redact(self, text: str) -> str:
        return text.replace(self._key, "***")


class _Anonymous(AuthBase):
    """Without it `requests` would send what ~/.netrc holds for the host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


_ANONYMOUS = _Anonymous()


class _Session(requests.Session):
    """Leaves redirects alone: `requests` would read the whole body of one even if told not to."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


class _Lines:
    """Cuts a stream of bytes into lines at LF alone; CR and U+2028 may stand inside a record."""

    def __init__(self, is_framed: bool) -> None:
        self._is_framed = is_framed
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk."""
        end = chunk.rfind(b"\n") + 1
        self._rest += chunk[:end] if end else chunk
        if not end:
            if len(self._rest) > MAX_LINE_BYTES:
                raise _LineError(f"a line of more than {MAX_LINE_BYTES} bytes is no record")
            return []
        lines = bytes(self._rest).split(b"\n")
        self._rest = bytearray(chunk[end:])
        return [line for line in lines if line and not line.isspace()]

    def end(self) -> list[bytes]:
        """The last line, where the stream ended without a line feed."""
        last = bytes(self._rest)
        if not last or last.isspace():
            return []
        if not self._is_framed:
            raise _LineError("the connection ended inside a line")
        return [last]


def _pause_s(attempt: int) -> float:
    longest = min(_MAX_BACK_OFF_S, 2.0 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _limited(chunks: Iterable[bytes], limit: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise _BodyError(f"more than {limit} bytes")
    return bytes(body)


def _refuse_html(dataset: Dataset, response: requests.Response) -> None:
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise PortalUnreachableError(
            f"{dataset.dataset_id}: something else answered for "
            f"{urlsplit(response.url).netloc}: an HTML page came where JSON was expected. A login "
            "page or a proxy may stand between; open the portal in a browser from this machine."
        )


def _where(dataset: Dataset) -> dict[str, str]:
    return {} if dataset.where is None else {"where": dataset.where}


def _drift(dataset: Dataset, fields: Mapping[str, str]) -> tuple[Drift, ...]:
    drift = []
    for name, types in dataset.fields.items():
        found = fields.get(name)
        if found is None:
            drift.append(Drift("gone", name, " or ".join(types), None))
        elif found not in types:
            drift.append(Drift("retyped", name, " or ".join(types), found))
    drift += [
        Drift("added", name, None, kind)
        for name, kind in fields.items()
        if name not in dataset.fields
    ]
    return tuple(drift)


def _reset_time(body: Mapping[str, Any], headers: Mapping[str, str]) -> datetime | None:
    """When a used-up quota frees, UTC: by the body, else by the header, whose form varies."""
    for said in (body.get("reset_time"), headers.get("X-RateLimit-Reset")):
        text = str(said or "").strip()
        try:
            if not text.isdecimal():
                moment = datetime.fromisoformat(text)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = int(text)
            if seconds > 10**9:  # seconds since 1970 rather than from now
                return datetime.fromtimestamp(seconds, UTC)
            return datetime.now(UTC) + timedelta(seconds=seconds)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, f"{parts.hostname}:{parts.port or default}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_base_url(url: str) -> str:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and _is_loopback(url)):
        raise SettingsError(f"{url!r} cannot stand for a portal: https, or http on loopback, can.")
    return url.rstrip("/")


def _key_variable(portal_name: str) -> str:
    return f"{portal_name.upper()}_API_KEY"


@cache
def _version() -> str:
    return version("paris-colleges")
