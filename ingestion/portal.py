"""Client of the portals' Explore API v2.1: probe a dataset, spool it whole, verify the pull.

A pull is one `/exports/jsonl` stream and never pages of `/records`: the API promises no order and
no snapshot between pages, and ends them at 10 000 records. A stream has no offset either, so one
that breaks off is pulled again from its start.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
import tenacity
from pydantic import SecretStr

from ingestion import errors
from ingestion.errors import IncompletePullError, PortalUnreachableError
from ingestion.network import BodyError, Timeouts, chunks, get, in_words, session
from ingestion.probe import Probe, moment, read_probe
from ingestion.records import MAX_RECORD_BYTES, lines
from ingestion.registry import Dataset

logger = logging.getLogger(__name__)
PULLS = 3  # how often a pull that is not whole is begun
MAX_LINE_BYTES = 2 * MAX_RECORD_BYTES
"""A record too large to keep is still spooled, for the quarantine. Beyond this a line is no record
but a portal that does not send lines."""
_RETRY_FOR_S = 10.0  # no attempt begins later, so that a portal out of reach is told soon
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_NO_OBJECT = "its answer is no JSON object"
_T = TypeVar("_T")
_ROWS = "%s: %d of %d rows"


class Spooled(NamedTuple):
    """A whole pull in a file, one record per line as received."""

    path: Path
    rows: int
    probe: Probe  # what the portal said before and after it
    extracted_at: datetime  # when it began, UTC


@dataclass
class PortalClient:
    """Reads the portals of the registry. A context manager; not for use from several threads."""

    base_urls: Mapping[str, str] = field(default_factory=dict)  # portal → URL, if not its own
    api_keys: Mapping[str, SecretStr] = field(default_factory=dict)  # portal → key, for a header
    timeouts: Timeouts = Timeouts()  # noqa: RUF009 - immutable
    attempts: int = 4  # how often a request is sent before it counts as failed
    sleep: Callable[[float], None] = time.sleep
    _sessions: dict[str, requests.Session] = field(default_factory=dict, init=False)

    def __enter__(self) -> PortalClient:
        return self

    def __exit__(self, *exc: object) -> None:
        for used in self._sessions.values():
            used.close()

    def metadata(self, dataset: Dataset) -> dict[str, Any]:
        """As the portal sends them."""
        return self._document(dataset, "")

    def probe(self, dataset: Dataset) -> Probe:
        """Read a dataset's metadata and, where the registry filters it, the selection's count."""
        document = self.metadata(dataset)
        try:
            count = document["metas"]["default"].get("records_count")
            if dataset.where is not None or type(count) is not int:
                query = {"limit": "0"} | _where(dataset)
                count = self._document(dataset, "/records", query)["total_count"]
            if type(count) is not int or count < 0:
                raise TypeError(f"total_count is {count!r}")  # noqa: TRY301
            return read_probe(dataset, document, count)
        except (KeyError, TypeError, AttributeError) as error:
            raise errors.PortalError(
                f"{dataset.dataset_id}: what {self._host(dataset)} sent is not the Explore API "
                f"v2.1 ({type(error).__name__}: {error}). Has the API changed?"
            ) from error

    def spool(self, dataset: Dataset, probe: Probe, path: Path) -> Spooled:
        """Stream the registry's selection of a dataset into a file, until one pull is whole.

        Whole means: the stream ended well, its last line is whole, and its rows are as many as the
        portal announced before it and announces after it. What is not is pulled again from its
        start, against the new count, `PULLS` times in all: then an IncompletePullError.
        """
        for attempt in range(1, PULLS + 1):
            began, before = datetime.now(UTC), probe
            try:
                rows, last_line = self.stream(dataset, before, path)
                probe = self.probe(dataset)
            except (IncompletePullError, PortalUnreachableError) as error:
                problem: Exception = error
            else:
                change = probe.change(before.ledger)
                if change is None and rows == before.records_count:
                    return Spooled(path, rows, probe, began)
                what = f"sent {rows} rows and announces {before.records_count}"
                if b'"error' in last_line:  # the portal's own, within the stream
                    what += f", the last of them: {_plain(last_line.decode(errors='replace'))}"
                if change:
                    what = f"published other data during the pull ({change})"
                problem = IncompletePullError(
                    f"{dataset.dataset_id}: {self._host(dataset)} {what}. Nothing of this pull is "
                    "kept; run again later. If it stays so, compare the filter in "
                    "ingestion/datasets.yml with the portal."
                )
            if attempt < PULLS:
                logger.info("%s; pull %d of %d", problem, attempt + 1, PULLS)
                self.sleep(2.0 ** (attempt - 1))
        raise problem

    def stream(self, dataset: Dataset, probe: Probe, path: Path) -> tuple[int, bytes]:
        """One stream into a file: how many of its lines are not blank, and the last of them."""

        def begin() -> tuple[requests.Response, Iterator[bytes]]:
            query = {"timezone": "UTC"} | _where(dataset)
            response = self._get(dataset, "/exports/jsonl", query, self.timeouts.export)
            body = chunks(response, self.timeouts.export, self.timeouts.slow)
            # With the first bytes here, all that goes wrong before them can be tried again.
            return response, chain([next(body, b"")], body)

        response, body = self._with_retries(dataset, begin)
        rows = unfinished = 0  # bytes of a line whose end has not come
        try:
            with closing(response), errors.disk_full(path.parent), path.open("wb") as file:
                for chunk in body:
                    file.write(chunk)
                    rows += chunk.count(b"\n")
                    rest = len(chunk) - chunk.rfind(b"\n") - 1
                    unfinished = rest if rest < len(chunk) else unfinished + rest
                    if unfinished > MAX_LINE_BYTES:
                        raise BodyError("a line is too long to be a record")  # noqa: TRY301
                    logger.debug(_ROWS, dataset.dataset_id, rows, probe.records_count)
            count, last = 0, b""
            for count, last in enumerate(lines(path), 1):  # noqa: B007
                pass
            if unfinished and last:
                # A proxy may cut a body and frame it well: such a last line is damaged, not bad.
                _json(last, "the last line is not whole")
        except BodyError as error:
            raise IncompletePullError(
                f"{dataset.dataset_id}: the export from {self._host(dataset)} broke off after "
                f"{rows} rows: {error}. Nothing of it is kept."
            ) from error
        return count, last

    # Requests.

    def _document(
        self, dataset: Dataset, path: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            with closing(self._get(dataset, path, query or {}, self.timeouts.read)) as response:
                return self._object(response)

        return self._with_retries(dataset, once)

    def _object(self, response: requests.Response) -> dict[str, Any]:
        """The object in a body; a BodyError where there is none."""
        body = bytearray()
        for chunk in chunks(response, self.timeouts.read, self.timeouts.slow):
            body += chunk
            if len(body) > _MAX_DOCUMENT_BYTES:
                raise BodyError(f"more than {_MAX_DOCUMENT_BYTES} bytes")
        document = _json(bytes(body), _NO_OBJECT)
        if not isinstance(document, dict):
            raise BodyError(_NO_OBJECT)
        return document

    def _with_retries(self, dataset: Dataset, action: Callable[[], _T]) -> _T:
        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(BodyError),
                stop=tenacity.stop_after_attempt(self.attempts)
                | tenacity.stop_after_delay(_RETRY_FOR_S),
                wait=tenacity.wait_exponential(0.5, max=30) + tenacity.wait_random(0, 0.5),
                sleep=self.sleep,
                reraise=True,
            )(action)
        except BodyError as error:
            raise PortalUnreachableError(
                f"{dataset.dataset_id}: cannot read from {self._host(dataset)}: {error}. Without "
                "the portal, `make demo` runs on a synthetic sample and `make run PORTAL=DIR` on a "
                "recorded portal state."
            ) from error

    def _get(
        self, dataset: Dataset, path: str, query: Mapping[str, str], timeout: float
    ) -> requests.Response:
        """The answer to one GET, its status 200."""
        portal, base = dataset.portal.name, self._base_url(dataset)
        url = f"{base}/api/explore/v2.1/catalog/datasets/{quote(dataset.dataset_id)}{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        if portal not in self._sessions:
            self._sessions[portal] = session(url, self.api_keys.get(portal))
        try:
            response = get(self._sessions[portal], url, (self.timeouts.connect, timeout))
        except OSError as error:
            what, may_pass = in_words(error, url)
            if may_pass:
                raise BodyError(what) from error
            raise PortalUnreachableError(
                f"{dataset.dataset_id}: cannot read from {self._host(dataset)}: {what}."
            ) from error
        is_html = "html" in response.headers.get("Content-Type", "").lower()
        if response.status_code == 200 and not is_html:
            return response
        with closing(response):
            raise self._refusal(dataset, response, is_html)

    def _refusal(self, dataset: Dataset, response: requests.Response, is_html: bool) -> Exception:
        """What every other answer means; a BodyError where another attempt may help."""
        status, key = response.status_code, self.api_keys.get(dataset.portal.name)
        if status in (408, 425) or status >= 500:
            return BodyError(f"it answered {status}")
        kind = errors.UnknownDatasetError if status == 404 else errors.PortalError
        frees, answer = None, str(status)
        if is_html and status != 404:
            kind, answer = PortalUnreachableError, "html"
            said = "an HTML page where JSON was expected"
        elif response.is_redirect:
            answer = "redirect"
            said = f"it moved to {_plain(response.headers['Location'].partition('?')[0])}"
        else:
            body: dict[str, Any] = {}
            with suppress(BodyError):
                body = self._object(response)
            said = _portals_words(body).replace(key.get_secret_value() if key else "\0", "***")
            frees = _quota_frees_at(body, response.headers)
        when = f"at {frees:%Y-%m-%d %H:%M} UTC" if frees else "some time: it does not say when"
        advice = errors.advice("portal", answer, when=when, variable=dataset.portal.key_variable)
        host = self._host(dataset)
        return kind(f"{dataset.dataset_id}: {host} says {status}: {said}. {advice}".rstrip())

    def _base_url(self, dataset: Dataset) -> str:
        return self.base_urls.get(dataset.portal.name, dataset.portal.base_url).rstrip("/")

    def _host(self, dataset: Dataset) -> str:
        return urlsplit(self._base_url(dataset)).netloc


def _where(dataset: Dataset) -> dict[str, str]:
    return {} if dataset.where is None else {"where": dataset.where}


def _json(text: bytes, otherwise: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BodyError(otherwise) from error


def _quota_frees_at(body: Mapping[str, Any], headers: Mapping[str, str]) -> datetime | None:
    """When a used-up quota frees, UTC, by the body or the header; None where neither says."""
    if at := moment(body.get("reset_time")):
        return at
    after = headers.get("Retry-After", "")
    with suppress(ValueError, OverflowError):
        if after.isdecimal():
            return datetime.now(UTC) + timedelta(seconds=int(after))
        return parsedate_to_datetime(after).astimezone(UTC)
    return None


def _portals_words(body: Mapping[str, Any]) -> str:
    names = ("error_code", "errorcode", "error", "message", "call_limit", "limit_time_unit")
    said = ", ".join(str(body[name]) for name in names if name in body)
    return _plain(said) or "it gives no reason"


def _plain(text: str) -> str:
    """A portal's words on one line, and short."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 300 else text[:299] + "…"
