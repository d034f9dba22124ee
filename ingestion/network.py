"""How a portal is reached: one request, the proxy and certificates on the way, and what went wrong.

`requests` does the work; here is what it leaves open: a deadline for an answer's headers, a key
that no log can show, and words that name the party at fault.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ingestion.errors import SettingsError


class Timeouts(NamedTuple):
    """Seconds a portal may take."""

    connect: float = 4.0
    """To accept a connection, for each of its addresses."""
    read: float = 20.0
    """To answer, and between two arrivals of bytes."""
    export: float = 60.0
    """The same, in an export, which the portal computes while it sends."""
    slow: float = 60.0
    """A body that comes slower than 1 kB/s over this span is given up."""


class BodyError(Exception):
    """No answer, or not all of it; another attempt may bring it. The message says why, in words."""


class _Anonymous(AuthBase):
    """Without it `requests` would send what ~/.netrc holds for the host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


ANONYMOUS = _Anonymous()
HTML = (
    "answered with an HTML page ({}) where JSON was expected: a login page, a firewall or a proxy "
    "may stand between. Open the portal in a browser here."
)


class ApiKey(AuthBase):
    """Sets the header; its `repr` is the plain object's, so that no log can show the key."""

    def __init__(self, portal_name: str, key: str) -> None:
        self._key = key.strip()
        if not self._key or any(not "!" <= character <= "~" for character in self._key):
            raise SettingsError(
                f"{portal_name.upper()}_API_KEY is not an API key: printable ASCII without spaces "
                "is expected."
            )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Apikey {self._key}"
        return request

    def redact(self, text: str) -> str:
        return text.replace(self._key, "***")


class _Session(requests.Session):
    """Leaves redirects alone: `requests` would read the whole body of one even if told not to."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


def session(url: str) -> requests.Session:
    """A session for the portal at `url`."""
    made = _Session()
    made.headers["User-Agent"] = f"paris-colleges/{version('paris-colleges')}"
    made.headers["Accept"] = "application/json, application/jsonl;q=0.9, */*;q=0.1"
    made.headers["Accept-Encoding"] = "gzip"
    # The environment's proxies are for the way out, not for this machine.
    made.trust_env = not is_loopback(url)
    return made


def get(
    used: requests.Session, url: str, auth: AuthBase, timeouts: tuple[float, float]
) -> requests.Response:
    """One GET whose headers have arrived; the body is still to be read.

    Args:
        used: from `session`.
        url: what to get.
        auth: an `ApiKey` or `ANONYMOUS`.
        timeouts: seconds to connect, for each address, and for the answer to begin.

    Raises:
        requests.RequestException: there is no answer.
        SettingsError: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file.
    """
    done: list[requests.Response | Exception] = []

    def send() -> None:
        try:
            answer = used.get(url, auth=auth, stream=True, allow_redirects=False, timeout=timeouts)
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            done.append(error)
        else:
            done.append(answer)

    # The time-outs of a socket begin anew with every byte, so headers that drip have none.
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(sum(timeouts) + 8 * timeouts[0])  # a host may have several addresses
    if not done:
        raise requests.exceptions.ReadTimeout("the headers of the answer did not end")
    if isinstance(done[0], requests.Response):
        return done[0]
    if isinstance(done[0], OSError) and "CA certificate bundle" in str(done[0]):
        name = "REQUESTS_CA_BUNDLE" if os.environ.get("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
        raise SettingsError(
            f"{name} names {os.environ.get(name)!r}, which is no file or folder of certificates. "
            "Unset it, or name the file of your certificate authority."
        ) from done[0]
    raise done[0]


def chunks(response: requests.Response, timeout: float, slow: float) -> Iterator[bytes]:
    """The body as it arrives, decoded.

    `read1` returns what one system call brings: `iter_content` would wait for a full buffer, and a
    portal that drips a byte now and then would never time out.

    Raises:
        BodyError: it broke off, or came slower than 1 kB/s over `slow` seconds of waiting.
    """
    waited, received = 0.0, 0
    while True:
        started = time.monotonic()
        try:
            chunk = response.raw.read1(256 * 1024, decode_content=True)
        except ReadTimeoutError as error:
            raise BodyError(f"no more bytes within {timeout:g} s") from error
        except HTTPError as error:
            raise BodyError(f"its answer broke off: {_cause(error)}") from error
        if not chunk:
            return
        waited += time.monotonic() - started
        received += len(chunk)
        if waited >= slow:
            if received < waited * 1024:
                raise BodyError(f"only {received} bytes came in {waited:.0f} s")
            waited, received = 0.0, 0
        yield chunk


def in_words(error: requests.RequestException, url: str, timeouts: Timeouts) -> tuple[str, bool]:
    """Who failed and how, without the URL or a proxy's password; and whether it may pass."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        what = f"no connection within {timeouts.connect:g} s"
    elif isinstance(error, requests.exceptions.ReadTimeout):
        what = "no answer in time"
    else:
        what = _cause(error)
    proxy = None if is_loopback(url) else select_proxy(url, get_environ_proxies(url))
    if proxy and isinstance(error, _OF_PROXIES):
        names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        variable = next((name for name in names if os.environ.get(name)), "HTTPS_PROXY")
        if "407" in str(error):
            what = "wants a user and a password, or refuses those it was given (407)"
        elif isinstance(error, requests.exceptions.InvalidSchema):
            what = "speaks SOCKS, which this program does not: name an HTTP proxy"
        elif isinstance(error, requests.exceptions.InvalidURL):
            what = "has no valid address"
        where = proxy.rpartition("@")[2].rpartition("/")[2]
        return f"the proxy {where} ({variable}): {what}. The portal was not reached", False
    if isinstance(error, requests.exceptions.SSLError):
        what = f"no trusted TLS connection ({what}). Behind a proxy with its own certificate "
        return f"{what}authority, name its file in REQUESTS_CA_BUNDLE", False
    return what, True


_OF_PROXIES = (
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.ConnectTimeout,
)


def _cause(error: BaseException) -> str:
    """The innermost reason, without the URL that the text of some errors holds."""
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            pending += [current.__context__, current.__cause__, getattr(current, "reason", None)]
            pending += current.args
    told = [found.strerror for found in seen if isinstance(found, OSError) and found.strerror]
    names = {
        "IncompleteRead": "the connection ended too early",
        "RemoteDisconnected": "the connection ended without an answer",
    }
    known = [names[type(found).__name__] for found in seen if type(found).__name__ in names]
    return (told[-1:] or known or [type(error).__name__])[0]


def quota_frees_at(body: Mapping[str, Any], headers: Mapping[str, str]) -> datetime | None:
    """When a used-up quota frees, UTC, by the body or a header; None where neither says."""
    names = ("X-RateLimit-Reset", "Retry-After")
    for said in (body.get("reset_time"), *(headers.get(name) for name in names)):
        text = str(said or "").strip()
        try:
            if not text.isdecimal():
                is_http_date = text[:1].isalpha()
                moment = (parsedate_to_datetime if is_http_date else datetime.fromisoformat)(text)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = int(text)
            if seconds > 10**9:  # since 1970 rather than from now
                return datetime.fromtimestamp(seconds, UTC)
            return datetime.now(UTC) + timedelta(seconds=seconds)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def within(url: str, location: str) -> str | None:
    """Where a redirect leads, if it is to the same scheme, host and port."""
    with suppress(ValueError):
        target = urljoin(url, location)
        return target if urlsplit(target)[:2] == urlsplit(url)[:2] else None
    return None


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_html(response: requests.Response) -> bool:
    """Whether a web page came: no portal sends one."""
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def plain(text: str) -> str:
    """A portal's words on one line, and short."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 300 else text[:299] + "…"
