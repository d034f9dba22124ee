"""What a portal says about a dataset, and how that differs from the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ingestion.registry import Dataset

_COMPARED = ("portal_data_processed_at", "rows_expected", "fields_hash", "registry_fingerprint")
"""Not the portal's `modified`, which in Paris often has nothing to do with the data."""


class Drift(NamedTuple):
    """One difference between the fields a portal announces and those the registry expects."""

    kind: str  # `added`, `gone` or `retyped`
    field: str
    expected: str | None  # the registry's types, e.g. `text or int`; None for `added`
    found: str | None  # the portal's type; None for `gone`


@dataclass(frozen=True)
class Probe:
    """What a portal says about a dataset, without its records."""

    records_count: int  # of the registry's selection: what a whole pull must bring
    fields: dict[str, str]  # name → API type, in the portal's order
    drift: tuple[Drift, ...]
    ledger: dict[str, Any]  # what of it the ledger keeps, by column

    def change(self, last: Mapping[str, Any]) -> str | None:
        """The first difference from the ledger of an earlier probe that decides about a pull."""
        differing = (name for name in _COMPARED if self.ledger[name] != last.get(name))
        return next((f"{n} {last.get(n)} → {self.ledger[n]}" for n in differing), None)


def read_probe(dataset: Dataset, document: dict[str, Any], count: int) -> Probe:
    """The probe in a portal's metadata, where `count` is what it counts of the selection."""
    metas = document["metas"]["default"]
    fields = {str(entry["name"]): str(entry["type"]) for entry in document["fields"]}
    drift, total = _drift(dataset, fields), metas.get("records_count")
    ledger = {
        "rows_expected": count,
        "portal_records_count": total if type(total) is int else None,
        "portal_data_processed_at": moment(metas.get("data_processed")),
        "portal_modified_at": moment(metas.get("modified")),
        "is_synthetic": document.get("synthetic") is True,
        "drift": json.dumps([change._asdict() for change in drift], ensure_ascii=False),
        "fields_hash": sha256(json.dumps(sorted(fields.items())).encode()).hexdigest(),
        "registry_fingerprint": dataset.fingerprint,
    }
    return Probe(count, fields, drift, ledger)


def _drift(dataset: Dataset, fields: Mapping[str, str]) -> tuple[Drift, ...]:
    expected = {
        name: " or ".join(types)
        for name, types in dataset.fields.items()
        if fields.get(name) not in types
    }
    return (
        *(Drift("retyped", n, types, fields[n]) for n, types in expected.items() if n in fields),
        *(Drift("gone", n, types, None) for n, types in expected.items() if n not in fields),
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
