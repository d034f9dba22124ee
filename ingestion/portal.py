"""Client of the portals' Explore API v2.1: probe a dataset, spool it whole, verify the pull.

A pull is one `/exports/jsonl` stream and never pages of `/records`: the API promises no order and
no snapshot between pages, and ends them at 10 000 records. A stream has no offset either, so one
that breaks off is pulled again from its start.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
import tenacity
from requests.auth import AuthBase

from ingestion.errors import (
    IncompletePullError,
    PortalError,
    PortalUnreachableError,
    SettingsError,
    UnknownDatasetError,
    disk_full,
)  # fmt: skip
from ingestion.network import (
    ANONYMOUS,
    HTML,
    ApiKey,
    BodyError,
    Timeouts,
    chunks,
    get,
    in_words,
    is_html,
    is_loopback,
    plain,
    quota_frees_at,
    session,
    within,
)  # fmt: skip
from ingestion.probe import Probe, drift, moment, portals_words, why_not_whole
from ingestion.probe import Spooled as Spooled
from ingestion.records import MAX_RECORD_BYTES, count_lines
from ingestion.registry import Dataset

logger = logging.getLogger(__name__)
PULLS = 3  # how often a pull that is not whole is begun
MAX_LINE_BYTES = 2 * MAX_RECORD_BYTES
"""A record too large to keep is still spooled, for the quarantine. Beyond this a line is no record
but a portal that does not send lines."""
_RETRY_FOR_S = 10.0  # no attempt begins later, so that a portal out of reach is told soon
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_T = TypeVar("_T")
Progress = Callable[[str, int, int], None]  # dataset id, rows so far, rows expected


class PortalClient:
    """Reads the portals of the registry. A context manager; not for use from several threads.

    Every method raises a `PortalError` that says which dataset and what to do:
    `UnknownDatasetError` for 404, `PortalUnreachableError` after a bounded number of attempts.

    Args:
        base_urls: portal name → URL instead of the registry's: https, or http on loopback.
        api_keys: portal name → API key. Sent as a header, to the portal's own address only.
        timeouts: see `Timeouts`.
        attempts: how often a request is sent before it counts as failed.
        wait_budget_s: how long the client may wait in all for used-up quotas, in seconds.
        sleep: replaces `time.sleep`.
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
        self._base_urls = dict(base_urls or {})
        for url in self._base_urls.values():
            if not re.match("https://.|http://.", url) or (url[4] == ":" and not is_loopback(url)):
                raise SettingsError(f"{url!r} cannot be a portal: https, or http on loopback, can.")
        self._keys = {name: ApiKey(name, key) for name, key in (api_keys or {}).items()}
        self._timeouts = timeouts
        self._attempts = attempts
        self._wait_left_s = wait_budget_s
        self._sleep = sleep
        self._sessions: dict[str, requests.Session] = {}
        self._silent: dict[str, str | None] = {}
        # host → why it did not answer; None once it has answered

    def __enter__(self) -> PortalClient:
        return self

    def __exit__(self, *exc: object) -> None:
        for used in self._sessions.values():
            used.close()
        self._sessions.clear()

    def metadata(self, dataset: Dataset) -> dict[str, Any]:
        """The dataset's metadata as the portal sends them."""
        return self._document(dataset, "")

    def probe(self, dataset: Dataset) -> Probe:
        """Read a dataset's metadata and, where the registry filters it, the selection's count."""
        document = self.metadata(dataset)
        try:
            metas = document["metas"]["default"]
            total = count = metas.get("records_count")
            fields = {str(entry["name"]): str(entry["type"]) for entry in document["fields"]}
            if dataset.where is not None or type(count) is not int:
                count = self._document(dataset, "/records", {"limit": "0"} | _where(dataset))[
                    "total_count"
                ]
            if type(count) is not int or count < 0:
                raise TypeError(f"total_count is {count!r}")  # noqa: TRY301
        except (KeyError, TypeError, AttributeError) as error:
            raise PortalError(
                f"{dataset.dataset_id}: what {self._host(dataset)} sent is not the Explore API "
                f"v2.1 ({type(error).__name__}: {error}). Has the API changed?"
            ) from error
        return Probe(
            records_count=count,
            portal_records_count=total if type(total) is int else None,
            data_processed=moment(metas.get("data_processed")),
            modified=moment(metas.get("modified")),
            fields=fields,
            is_synthetic=document.get("synthetic") is True,
            drift=drift(dataset, fields),
            registry_fingerprint=dataset.fingerprint,
        )

    def spool(
        self, dataset: Dataset, probe: Probe, path: Path, progress: Progress | None = None
    ) -> Spooled:
        """Stream the registry's selection of a dataset into a file, until one pull is whole.

        Whole means: the stream ended well, its last line is whole, and its rows are as many as the
        portal announced before it and announces after it. What is not whole is pulled again, from
        its start and against the new count.

        Raises:
            IncompletePullError: no pull of `PULLS` was whole. DiskFullError: as it says.
        """
        for attempt in range(1, PULLS + 1):
            began, before = datetime.now(UTC), probe
            try:
                rows, last_line = self.stream(dataset, before, path, progress)
                probe = self.probe(dataset)
            except (IncompletePullError, PortalUnreachableError) as error:
                problem: Exception = error
            else:
                what = why_not_whole(before, probe, rows, last_line)
                if what is None:
                    return Spooled(path, rows, probe, began)
                problem = IncompletePullError(
                    f"{dataset.dataset_id}: {self._host(dataset)} {what} Nothing of this pull is "
                    "kept; run again later."
                )
            if attempt < PULLS:
                logger.info("%s; pull %d of %d", problem, attempt + 1, PULLS)
                self._sleep(2.0 ** (attempt - 1))
        raise problem

    def stream(
        self, dataset: Dataset, probe: Probe, path: Path, progress: Progress | None = None
    ) -> tuple[int, bytes]:
        """One stream of the registry's selection into a file, whatever its rows.

        Returns:
            How many of its lines are not blank, and the last of them.
        """

        def begin() -> tuple[requests.Response, Iterator[bytes]]:
            query = {"timezone": "UTC"} | _where(dataset)
            response = self._get(dataset, "/exports/jsonl", query, self._timeouts.export)
            body = chunks(response, self._timeouts.export, self._timeouts.slow)
            # With the first bytes here, all that goes wrong before them can be tried again.
            return response, chain([next(body, b"")], body)

        response, body = self._with_retries(dataset, begin)
        rows = open_line = 0
        with closing(response), disk_full(path.parent), path.open("wb") as file:
            try:
                for chunk in body:
                    file.write(chunk)
                    rows += chunk.count(b"\n")
                    last_end = chunk.rfind(b"\n")
                    open_line = len(chunk) - 1 - last_end + (open_line if last_end < 0 else 0)
                    if open_line > MAX_LINE_BYTES:
                        raise BodyError("a line is too long to be a record")  # noqa: TRY301
                    if progress:
                        progress(dataset.dataset_id, rows, probe.records_count)
            except BodyError as error:
                raise self._cut(dataset, rows, str(error)) from error
        rows, last = count_lines(path)
        if open_line:
            # A proxy may cut a body and frame it well: such a last line is damaged, not bad.
            try:
                json.loads(last)
            except (ValueError, RecursionError) as error:
                raise self._cut(dataset, rows - 1, "the last line is not whole") from error
        return rows, last

    def _cut(self, dataset: Dataset, rows: int, why: str) -> IncompletePullError:
        return IncompletePullError(
            f"{dataset.dataset_id}: the export from {self._host(dataset)} broke off after {rows} "
            f"rows: {why}. Nothing of it is kept."
        )

    # Requests.

    def _document(
        self, dataset: Dataset, path: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            with closing(self._get(dataset, path, query or {}, self._timeouts.read)) as response:
                document = self._json(response, _MAX_DOCUMENT_BYTES)
            if document is None:
                raise BodyError("its answer is no JSON object")
            return document

        return self._with_retries(dataset, once)

    def _json(self, response: requests.Response, limit: int) -> dict[str, Any] | None:
        """The object in a body, or None where there is none."""
        body = bytearray()
        for chunk in chunks(response, self._timeouts.read, self._timeouts.slow):
            body += chunk
            if len(body) > limit:
                raise BodyError(f"more than {limit} bytes")
        with suppress(ValueError, RecursionError):
            document = json.loads(bytes(body))
            return document if isinstance(document, dict) else None
        return None

    def _with_retries(self, dataset: Dataset, action: Callable[[], _T]) -> _T:
        host = self._host(dataset)
        # Else every further dataset of a portal that is out of reach would wait as long.
        attempts = 1 if self._silent.get(host) else self._attempts
        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(BodyError),
                stop=tenacity.stop_after_attempt(attempts)
                | tenacity.stop_after_delay(_RETRY_FOR_S),
                wait=tenacity.wait_exponential(0.5, max=30) + tenacity.wait_random(0, 0.5),
                sleep=self._sleep,
                reraise=True,
            )(action)
        except BodyError as error:
            self._silent.setdefault(host, str(error))
            raise PortalUnreachableError(
                f"{dataset.dataset_id}: cannot read from {host}: {error}. Without the portal, "
                "`make demo` runs on a synthetic sample and `make run PORTAL=DIR` on a recorded "
                "portal state."
            ) from error

    def _get(
        self, dataset: Dataset, path: str, query: Mapping[str, str], timeout: float
    ) -> requests.Response:
        """The answer to one GET, its quota waited for, its status 200."""
        name = dataset.portal.name
        base = f"{self._base_url(dataset)}/api/explore/v2.1/catalog/datasets"
        url = f"{base}/{quote(dataset.dataset_id)}{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        if name not in self._sessions:
            self._sessions[name] = session(url)
        auth: AuthBase = self._keys.get(name, ANONYMOUS)
        redirects = 0
        while True:
            try:
                response = get(self._sessions[name], url, auth, (self._timeouts.connect, timeout))
            except requests.RequestException as error:
                what, may_pass = in_words(error, url, self._timeouts)
                if may_pass:
                    raise BodyError(what) from error
                raise PortalUnreachableError(
                    f"{dataset.dataset_id}: {self._host(dataset)}: {what}."
                ) from error
            self._silent[self._host(dataset)] = None
            if response.status_code == 200 and not is_html(response):
                return response
            with closing(response):
                target = within(url, response.headers.get("Location", ""))
                if response.is_redirect and redirects < 3 and target:
                    url, auth, redirects = target, ANONYMOUS, redirects + 1
                else:
                    self._wait_or_refuse(dataset, response)

    def _wait_or_refuse(self, dataset: Dataset, response: requests.Response) -> None:
        """Wait where a quota frees in time; raise what every other answer means."""
        status, variable = response.status_code, dataset.portal.key_variable
        if status in (408, 425) or status >= 500:
            raise BodyError(f"it answered {status}")
        try:
            body = self._json(response, 64 * 1024) or {}
        except BodyError:
            body = {}
        said = portals_words(body) or "it gives no reason"
        if auth := self._keys.get(dataset.portal.name):
            said = auth.redact(said)
        frees = quota_frees_at(body, response.headers) if status == 429 else None
        if frees is not None:
            # At least 5 s: a time that has just passed must not become a busy loop.
            wait = max((frees - datetime.now(UTC)).total_seconds() + 1.0, 5.0)
            if wait <= self._wait_left_s:
                logger.info("%s: quota used up; waiting %.0f s", dataset.dataset_id, wait)
                self._wait_left_s -= wait
                self._sleep(wait)
                return
        when = f"at {frees:%Y-%m-%d %H:%M} UTC" if frees else "some time: it does not say when"
        advice = {
            400: "Check this dataset's `where` in ingestion/datasets.yml.",
            401: f"Check the API key in {variable}." if auth else f"Set {variable}.",
            429: f"The quota frees {when}; run again later, or set {variable} to use your own.",
        }
        kind = PortalError
        said = f"says {status}: {said}. {advice.get(401 if status == 403 else status, '')}".rstrip()
        if status == 404:
            kind = UnknownDatasetError
            said = "does not know this dataset (404). Was it renamed or removed? Mend datasets.yml."
        elif is_html(response):
            kind, said = PortalUnreachableError, HTML.format(status)
        elif response.is_redirect:
            target = plain(response.headers.get("Location", "").partition("?")[0])
            said = f"redirects to {target}, which is not followed: see `base_url` in datasets.yml."
        raise kind(f"{dataset.dataset_id}: {self._host(dataset)} {said}")

    def _base_url(self, dataset: Dataset) -> str:
        return self._base_urls.get(dataset.portal.name, dataset.portal.base_url).rstrip("/")

    def _host(self, dataset: Dataset) -> str:
        return urlsplit(self._base_url(dataset)).netloc


def _where(dataset: Dataset) -> dict[str, str]:
    return {} if dataset.where is None else {"where": dataset.where}
