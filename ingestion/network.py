"""What `requests` leaves open: deadlines, a key that no log can show, and who is to blame."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, ReadTimeoutError


class Timeouts(NamedTuple):
    """Seconds a portal may take."""

    connect: float = 4.0  # for each of its addresses
    read: float = 20.0  # to answer, and between two arrivals of bytes
    export: float = 60.0  # the same, in an export, which the portal computes while it sends
    slow: float = 60.0  # a body that comes slower than 1 kB/s over this span is given up


class BodyError(Exception):
    """No answer, or not all of it; another attempt may bring it. The message says why."""


def session(url: str, key: SecretStr | None) -> requests.Session:
    """A session for the portal at `url`, which gets its API key in a header."""
    made = requests.Session()
    made.headers["User-Agent"] = f"paris-colleges/{version('paris-colleges')}"
    made.headers["Accept-Encoding"] = "gzip"
    made.trust_env = not _is_loopback(url)  # proxies are for the way out

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if key:
            request.headers["Authorization"] = f"Apikey {key.get_secret_value()}"
        return request

    made.auth = sign  # in any case: else `requests` sends what ~/.netrc holds for the host
    return made


def get(used: requests.Session, url: str, timeouts: tuple[float, float]) -> requests.Response:
    """One GET whose headers have arrived, within `timeouts` to connect and to answer (s)."""
    answer: Future[requests.Response] = Future()

    def send() -> None:
        try:
            answer.set_result(used.get(url, stream=True, allow_redirects=False, timeout=timeouts))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            answer.set_exception(error)

    # The time-outs of a socket begin anew with every byte, so headers that drip have none.
    threading.Thread(target=send, daemon=True).start()
    try:
        return answer.result(sum(timeouts) + 8 * timeouts[0])  # a host may have several addresses
    except TimeoutError:
        raise requests.ReadTimeout("the headers of the answer did not end") from None


def chunks(response: requests.Response, timeout: float, slow: float) -> Iterator[bytes]:
    """The body as it arrives, decoded; a BodyError where it breaks off or is too slow.

    `read1` returns what one system call brings: `iter_content` would wait for a full buffer, and a
    portal that drips a byte now and then would never time out.
    """
    waited, received = 0.0, 0
    while True:
        started = time.monotonic()
        try:
            chunk = response.raw.read1(256 * 1024, decode_content=True)
        except ReadTimeoutError as error:
            raise BodyError(f"no more bytes within {timeout:g} s") from error
        except HTTPError as error:
            raise BodyError(f"its answer broke off ({type(error).__name__})") from error
        if not chunk:
            return
        waited, received = waited + time.monotonic() - started, received + len(chunk)
        if waited >= slow:
            if received < waited * 1024:
                raise BodyError(f"only {received} bytes came in {waited:.0f} s")
            waited, received = 0.0, 0
        yield chunk


def in_words(error: OSError, url: str) -> tuple[str, bool]:
    """Who failed and how, without a proxy's password; and whether another attempt may help."""
    # The text ends with the cause: "…(Caused by …: [Errno 111] Connection refused"))".
    what = re.split(r": |\(['\"]|Errno -?\d+\] ", re.sub(r"//[^/\s]*@", "//***@", str(error)))[-1]
    what = what.strip("'\")(")
    if isinstance(error, requests.Timeout):
        what = "no answer in time"
    if isinstance(error, requests.exceptions.SSLError) or "CA certificate bundle" in str(error):
        what = (
            f"no trusted TLS connection ({what}). REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE must name "
            "the file of certificates your network needs, or be unset"
        )
    if proxy := None if _is_loopback(url) else select_proxy(url, get_environ_proxies(url)):
        names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        variable = next((name for name in names if os.environ.get(name)), names[0])
        where = proxy.rstrip("/").rpartition("@")[2].rpartition("/")[2]
        if isinstance(error, requests.exceptions.InvalidURL):  # its text quotes the address
            what = "it has no valid address"
        what = f"through the proxy {where} ({variable}): {what}"
    is_final = isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError))
    return what, isinstance(error, (requests.ConnectionError, requests.Timeout)) and not is_final


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
