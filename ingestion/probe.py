"""What a portal says about a dataset, how that differs from the registry, and since when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ingestion.network import plain
from ingestion.registry import Dataset

_COMPARED = ("portal_data_processed_at", "rows_expected", "fields_hash", "registry_fingerprint")


class Drift(NamedTuple):
    """One difference between the fields a portal announces and those the registry expects."""

    kind: str
    """`added`, `gone` or `retyped`."""
    field: str
    expected: str | None
    """The registry's types, e.g. `text or int`; None for `added`."""
    found: str | None
    """The portal's type; None for `gone`."""


@dataclass(frozen=True)
class Probe:
    """What a portal says about a dataset, without its records."""

    records_count: int
    """Of the registry's selection: what a complete pull must bring."""
    portal_records_count: int | None
    """Of the whole dataset, by its metadata."""
    data_processed: datetime | None
    modified: datetime | None
    """The portal's own dates, UTC."""
    fields: dict[str, str]
    """Field name → API type, in the portal's order."""
    is_synthetic: bool
    """True for the synthetic sample, which says so in its metadata."""
    drift: tuple[Drift, ...]
    registry_fingerprint: str

    def as_ledger(self) -> dict[str, Any]:
        """What of it the ledger keeps."""
        return {
            "rows_expected": self.records_count,
            "portal_records_count": self.portal_records_count,
            "portal_data_processed_at": self.data_processed,
            "portal_modified_at": self.modified,
            "is_synthetic": self.is_synthetic,
            "drift": json.dumps([change._asdict() for change in self.drift], ensure_ascii=False),
            "fields_hash": sha256(json.dumps(sorted(self.fields.items())).encode()).hexdigest(),
            "registry_fingerprint": self.registry_fingerprint,
        }

    def difference(self, last: Mapping[str, Any]) -> str | None:
        """What says that the data changed since `last`, an earlier `as_ledger`; None: nothing.

        Not `modified`: on the Paris portal it often has nothing to do with the data.
        """
        if self.data_processed is None:
            return "the portal does not say when it processed the data"
        return self.change(last)

    def change(self, last: Mapping[str, Any]) -> str | None:
        """The first difference from `last` in what decides about a pull, or None."""
        now = self.as_ledger()
        changes = (f"{k} {last.get(k)} → {now[k]}" for k in _COMPARED if now[k] != last.get(k))
        return next(changes, None)


@dataclass(frozen=True)
class Spooled:
    """A whole pull in a file, one record per line as received."""

    path: Path
    rows: int
    probe: Probe
    """What the portal said before and after it."""
    extracted_at: datetime
    """When it began, UTC."""


def drift(dataset: Dataset, fields: Mapping[str, str]) -> tuple[Drift, ...]:
    """How the fields a portal announces differ from those of the registry."""
    differing = [name for name, types in dataset.fields.items() if fields.get(name) not in types]
    expected = {name: " or ".join(dataset.fields[name]) for name in differing}
    return (
        *(Drift("retyped", n, expected[n], fields[n]) for n in differing if n in fields),
        *(Drift("gone", n, expected[n], None) for n in differing if n not in fields),
        *(Drift("added", n, None, fields[n]) for n in fields if n not in dataset.fields),
    )


def moment(value: object) -> datetime | None:
    """A portal's date as UTC, to the millisecond, as MongoDB keeps it."""
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def why_not_whole(before: Probe, after: Probe, rows: int, last_line: bytes) -> str | None:
    """What is wrong with a pull of `rows` rows between two probes; None: nothing."""
    if change := after.change(before.as_ledger()):
        return f"published other data during the pull ({change})."
    if rows == before.records_count:
        return None
    with suppress(ValueError, RecursionError):
        last = json.loads(last_line)
        if isinstance(last, dict) and (said := portals_words(last)):
            return f"ended its export with an error of its own ({said})."
    return (
        f"sent {rows} rows and announces {before.records_count}. If it stays so, compare the "
        "filter in ingestion/datasets.yml with the portal."
    )


def portals_words(body: Mapping[str, Any]) -> str:
    """What an error's body says, empty where it is none."""
    if not {"error_code", "errorcode", "error"} & body.keys():
        return ""
    names = ("error_code", "errorcode", "error", "message", "call_limit", "limit_time_unit")
    return plain(", ".join(str(body[name]) for name in names if name in body))
