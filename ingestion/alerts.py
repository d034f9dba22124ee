"""One message to a webhook when a run fails, if `COLLEGES_ALERT_WEBHOOK` names one.

The body is `{"text": "..."}`, what Slack, Mattermost, Rocket.Chat and Google Chat take.
`python -m ingestion.alerts WHAT` posts the causes it reads from standard input, one per line.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

VARIABLE = "COLLEGES_ALERT_WEBHOOK"
MAX_CHARACTERS = 3000


def post_failure(
    what: str, causes: Sequence[str], *, environ: Mapping[str, str] = os.environ
) -> bool:
    """Post, in one attempt, that `what` failed and why; whether it was taken. Never raises.

    `causes`: one line each, free of secrets, the most important first.
    """
    if not (url := environ.get(VARIABLE)):
        return False
    import requests

    text = "\n".join([f"{what} failed on {socket.gethostname()}", *causes])
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rstrip() + " …"
    try:
        # A redirected POST turns into a GET that says nothing and looks like success.
        answer = requests.post(url, json={"text": text}, timeout=10, allow_redirects=False)
        problem = f"status {answer.status_code}" if answer.status_code >= 300 else None
    except requests.RequestException as error:
        problem = type(error).__name__  # its text holds the address, which is a secret
    if problem:
        logger.warning("the alert could not be posted (%s): check %s", problem, VARIABLE)
    return problem is None


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    posted = post_failure(sys.argv[1], [line.rstrip("\n") for line in sys.stdin])
    sys.exit(0 if posted or not os.environ.get(VARIABLE) else 1)
