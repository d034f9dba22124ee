"""States of the portals as values, and small changes to them as pure functions.

A state is what both portals publish at one moment: for each dataset its records, as the export of
the Explore API gives them. `synthetic` is the invented sample, `recorded` a real state from the
folder beside the project, where it is present. Nothing here changes a state in place.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ingestion.settings import PROJECT_DIR
from sandbox.sample import write_sample

COLLEGES = "etablissements-scolaires-colleges"
SECTORS = "secteurs-scolaires-colleges"
ARRONDISSEMENTS = "arrondissements"
DIRECTORY = "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre"
IVAC = "fr-en-indicateurs-valeur-ajoutee-colleges"
IPS_2022 = "fr-en-ips-colleges-ap2022"
IPS_2023 = "fr-en-ips-colleges-ap2023"
STREET_RANGES = "fr-en-carte-scolaire-colleges-publics"

Record = Mapping[str, Any]
Match = Mapping[str, Any] | Callable[[Record], bool]
"""Which records are meant: fields with the value each must have, or a function of the record."""

# What the registry's `where` asks the portal for; the recorded files hold the whole country.
_OF_PARIS: dict[str, Callable[[Record], bool]] = {
    DIRECTORY: lambda r: (
        r["code_departement"] == "075" and str(r["nature_uai"]) in ("340", "350", "352")
    ),
    IVAC: lambda r: r["departement"] == "PARIS",
    IPS_2022: lambda r: r["code_du_departement"] in ("75", "075"),
    IPS_2023: lambda r: r["code_du_departement"] in ("75", "075"),
}


@dataclass(frozen=True)
class State:
    """What the portals publish at one moment."""

    records: Mapping[str, tuple[Record, ...]]
    """Records by dataset id; a dataset that is absent is not pulled."""
    extracted_at: datetime
    """UTC, without zone, as raw has it."""
    is_synthetic: bool
    drift: Mapping[str, str]
    """By dataset id, the JSON text the ledger gets; a dataset that is absent has none."""
    origin: State | None = field(default=None, repr=False)
    """The state as it was read, where this one was made of it by edits of records."""

    @property
    def is_as_read(self) -> bool:
        """Whether no record was changed, added or taken away."""
        return id(self.records) in _AS_READ

    def at(self, day: str) -> State:
        """The same, pulled on another day (`2026-09-15`)."""
        return replace(self, extracted_at=datetime.fromisoformat(day))

    def only(self, *datasets: str) -> State:
        """The same without all other datasets, which then are not pulled."""
        return replace(self, records={name: self.records[name] for name in datasets})

    def find(self, dataset: str, match: Match) -> tuple[Record, ...]:
        """The records that match; at least one must."""
        found = tuple(record for record in self.records[dataset] if _matches(record, match))
        assert found, f"no record of {dataset} matches {match}"
        return found

    def one(self, dataset: str, match: Match) -> Record:
        """The one record that matches."""
        found = self.find(dataset, match)
        assert len(found) == 1, f"{len(found)} records of {dataset} match {match}"
        return found[0]

    def edit(
        self, dataset: str, match: Match, change: Mapping[str, Any] | Callable[[Record], Any]
    ) -> State:
        """The same with other values in the records that match (at least one must).

        `change` is the fields that differ, or a function from the record to them.
        """
        self.find(dataset, match)
        return self._with(
            dataset,
            [
                {**record, **(change(record) if callable(change) else change)}
                if _matches(record, match)
                else record
                for record in self.records[dataset]
            ],
        )

    def without(self, dataset: str, match: Match) -> State:
        """The same without the records that match (at least one must)."""
        self.find(dataset, match)
        return self._with(dataset, [r for r in self.records[dataset] if not _matches(r, match)])

    def adding(self, dataset: str, *records: Record) -> State:
        """The same and these records."""
        return self._with(dataset, [*self.records[dataset], *copy.deepcopy(records)])

    def next_school_year(
        self, label: str, after: str, match: Match | None = None, **changes: Any
    ) -> State:
        """The same and, under `label`, a copy of each collège record of the label `after`.

        `match` leaves out those that do not match it; `changes` are set in every copy.
        """
        found = [
            {**record, **changes, "annee_scol": label}
            for record in self.find(COLLEGES, {"annee_scol": after})
            if match is None or _matches(record, match)
        ]
        assert found, f"no collège of {after} matches {match}"
        return self.adding(COLLEGES, *found)

    def _with(self, dataset: str, records: Sequence[Record]) -> State:
        origin = self if self.is_as_read else self.origin
        return replace(self, records={**self.records, dataset: tuple(records)}, origin=origin)


_AS_READ: dict[int, Mapping[str, tuple[Record, ...]]] = {}


def _matches(record: Record, match: Match) -> bool:
    if callable(match):
        return match(record)
    return all(record.get(name) == value for name, value in match.items())


def read_state(folder: Path, *, is_synthetic: bool) -> State:
    """A recorded state, `<folder>/<host>/<dataset>/{dataset.json,records.jsonl}`."""
    records: dict[str, tuple[Record, ...]] = {}
    processed = []
    for metadata in sorted(folder.glob("*/*/dataset.json")):
        dataset = metadata.parent.name
        described = json.loads(metadata.read_text(encoding="utf-8"))
        processed.append(described["metas"]["default"]["data_processed"])
        is_wanted = _OF_PARIS.get(dataset, lambda _: True) if not is_synthetic else lambda _: True
        with metadata.with_name("records.jsonl").open(encoding="utf-8") as lines:
            records[dataset] = tuple(r for line in lines if is_wanted(r := json.loads(line)))
    _AS_READ[id(records)] = records
    extracted_at = datetime.fromisoformat(max(processed)).replace(tzinfo=None)
    return State(records, extracted_at, is_synthetic=is_synthetic, drift={})


@cache
def _sample() -> dict[str, State]:
    with tempfile.TemporaryDirectory(prefix="colleges-mutations-") as folder:
        return {
            state.name: read_state(state, is_synthetic=True) for state in write_sample(Path(folder))
        }


def synthetic(name: str = "2026-10") -> State:
    """A state of the invented sample: `2025-02`, `2025-06`, `2025-11` or `2026-10`."""
    return _sample()[name]


@cache
def recorded(name: str) -> State:
    """A real state (`2021-05`, `2024-11`); the case is skipped where it is not present."""
    folder = PROJECT_DIR.parent / "shared" / "portal" / name
    if not folder.is_dir():
        pytest.skip(f"the recorded state {name} is not beside the project")
    return read_state(folder, is_synthetic=False)
