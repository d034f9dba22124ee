"""Pulls without a portal: the real hop 1 on lines of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingestion.load import LoadReport, load
from ingestion.lock import Lease
from ingestion.mongodb import connect
from ingestion.portal import Spooled
from ingestion.probe import Probe
from ingestion.pull import DatasetResult, Puller, PullOptions
from ingestion.reconcile import reconcile
from ingestion.registry import registry
from ingestion.settings import Settings
from ingestion.store import Store
from ingestion.warehouse import Warehouse, open_warehouse

COLLEGES = registry()["etablissements-scolaires-colleges"].model_copy(update={"volume_floor": 1})
ARRONDISSEMENTS = registry()["arrondissements"].model_copy(update={"volume_floor": 1})
BOTH = [COLLEGES, ARRONDISSEMENTS]
EXTRACTED_AT = datetime(2026, 3, 1, 23, 30, 15, 123000, tzinfo=UTC)


def college(name: str, **fields: Any) -> bytes:
    """A line of the export."""
    return json.dumps({"libelle": name, "annee_scol": "2019-2020", **fields}).encode()


def key(name: str) -> str:
    """The record key of `college`."""
    return json.dumps([name, "2019-2020"], separators=(",", ":"))


@dataclass
class Client:
    """What stands in for the portal client."""

    lines: Sequence[bytes]
    is_synthetic: bool = False
    error: BaseException | None = None

    def probe(self, dataset: Any) -> Probe:
        if self.error:
            raise self.error
        ledger = {
            "rows_expected": len(self.lines),
            "portal_data_processed_at": datetime.now(UTC),  # so that every pull is one
            "is_synthetic": self.is_synthetic,
            "drift": "[]",
            "fields_hash": "",
            "registry_fingerprint": dataset.fingerprint,
        }
        return Probe(len(self.lines), {}, (), ledger)

    def spool(self, dataset: Any, probe: Probe, path: Path) -> Spooled:
        path.write_bytes(b"".join(line + b"\n" for line in self.lines))
        return Spooled(path, len(self.lines), probe, EXTRACTED_AT)


@dataclass
class House:
    """A store under lease, and a warehouse."""

    store: Store
    lease: Lease
    warehouse: Warehouse
    home: Path

    def pull(
        self, *lines: bytes, dataset: Any = COLLEGES, options: PullOptions | None = None, **of: Any
    ) -> DatasetResult:
        """One run that pulls one dataset."""
        run = self.store.begin_run()
        client: Any = Client(lines, **of)
        options = options or PullOptions()
        return Puller(client, self.store, self.lease, run, self.home, options).pull(dataset)

    def load(self) -> LoadReport:
        return load(self.store, self.lease, self.warehouse, BOTH, self.home)

    def reconcile(self) -> None:
        reconcile(self.store, self.warehouse, BOTH)

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect() as raw:
            return raw.rows(sql)

    def versions(self) -> dict[str, list[str | None]]:
        """Name of a college → its payloads, in the order of runs."""
        found: dict[str, list[str | None]] = {}
        for version in self.store.database[COLLEGES.table].find(sort=[("_id", 1)]):
            name = json.loads(version["record_key"])[0]
            found.setdefault(name, []).append(version["payload"])
        return found


@contextmanager
def house(settings: Settings) -> Iterator[House]:
    with connect(settings) as database, Lease(database, "test") as lease:
        home = settings.prepare_home()
        yield House(Store(database), lease, open_warehouse(settings), home)
