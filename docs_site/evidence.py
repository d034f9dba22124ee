"""What tests that did not pass found: the first rows, asked for once more, in words."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from docs_site.artifacts import Check
from ingestion.errors import WarehouseError
from ingestion.warehouse import Connection

logger = logging.getLogger(__name__)

SHOWN_ROWS = 10
SHOWN_CHECKS = 20
"""A broken build has hundreds: the first by severity say enough."""

_DRIFT = {"added": "new", "gone": "no longer there", "retyped": "of another type"}


def evidence(connection: Connection, checks: Iterable[Check]) -> dict[str, list[str]]:
    """Id of a check → its first rows, values separated by a point; nothing where it has no SQL.

    A query that the warehouse refuses, as where a table is gone by now, is told in the log.
    """
    found = {}
    for check in islice((check for check in checks if check.sql), SHOWN_CHECKS):
        try:
            rows = list(islice(connection.stream(check.sql), SHOWN_ROWS))
        except WarehouseError as error:
            logger.warning("The rows of %s are not shown: %s", check.name, error)
            continue
        found[check.unique_id] = [" · ".join(filter(None, map(_words, row))) for row in rows]
    return found


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith('[{"'):
        try:
            return "; ".join(map(_drift, json.loads(value)))
        except (ValueError, AttributeError, KeyError):
            return value
    return str(value)


def _drift(entry: Mapping[str, Any]) -> str:
    """One field of ``fct_source_load.drift``."""
    types = f" (expected {entry['expected']}, found {entry['found']})" if entry["found"] else ""
    return f"{entry['field']} {_DRIFT.get(entry['kind'], entry['kind'])}{types}"
