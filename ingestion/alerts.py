"""One message to a webhook when a run fails, if ``COLLEGES_ALERT_WEBHOOK`` names one.

The body is ``{"text": "..."}``, what Slack, Mattermost, Rocket.Chat and Google Chat take.
``python -m ingestion.alerts WHAT`` posts the causes it reads from standard input, one per line.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

logger = logging.getLogger(__name__)

VARIABLE = "COLLEGES_ALERT_WEBHOOK"
TIMEOUT_S = 10
MAX_CHARACTERS = 3000
"""Chat services cut or refuse longer messages; the first cause comes first."""


def post_failure(
    what: str, causes: Sequence[str], *, environ: Mapping[str, str] | None = None
) -> bool:
    """Post that ``what`` failed and why, in one attempt: a run posts once, or the log says why not.

    Never raises: the failure it reports must stay the one that ends the run.

    Args:
        what: the command or Airflow run, e.g. ``colleges run``.
        causes: one line per cause, free of secrets; the most important first.
        environ: where to look for the webhook's address; default: the process's environment.

    Returns:
        True if the webhook took the message; False without a webhook, or where it did not.
    """
    url = (os.environ if environ is None else environ).get(VARIABLE)
    if not url:
        return False
    import requests

    lines = [f"{what} failed on {socket.gethostname()}", *causes]
    text = "\n".join(lines)
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rstrip() + " …"
    try:
        # A redirected POST turns into a GET that says nothing and looks like success.
        response = requests.post(url, json={"text": text}, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        # The exception's own text holds the address, which is a secret.
        problem = type(error).__name__
    else:
        if response.status_code < 300:
            return True
        problem = f"status {response.status_code}"
    logger.warning("the alert could not be posted (%s): check %s", problem, VARIABLE)
    return False


@contextmanager
def on_failure(what: str) -> Iterator[None]:
    """Post an exception that leaves the block, then let it go on."""
    try:
        yield
    except Exception as error:
        post_failure(what, [f"{type(error).__name__}: {error}"])
        raise


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    lines = [line.rstrip("\n") for line in sys.stdin]
    sys.exit(0 if post_failure(sys.argv[1], lines) or not os.environ.get(VARIABLE) else 1)
