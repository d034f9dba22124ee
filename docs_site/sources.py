"""The state of each dataset: when it last changed, when it is expected, whether its rows agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboard.export import LICENCE_URLS
from docs_site.artifacts import Artifacts
from ingestion.registry import Dataset, registry
from ingestion.warehouse import Connection

LOADS = "fct_source_load"
SHARE_ALIKE = "Open Database License (ODbL) 1.0"

CADENCES = {"daily": 1, "yearly": 365}
"""Days between two publications; other words (``none``, ``ended``): nothing is expected."""

_PERIODS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0}
_CHANGES = ("rows_new", "rows_changed", "rows_restored", "rows_withdrawn")
_LOAD_COLUMNS = (
    "dataset", "run_sequence", "run_id", "status", "extracted_at", "duration_s", "rows_expected",
    "rows_received", *_CHANGES, "rows_unchanged", "rows_quarantined", "rows_present", "drift",
    "portal_data_processed_at", "is_synthetic", "error",
)  # fmt: skip

Load = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """Records of a dataset, counted at every stage after the latest pull."""

    portal: int | None
    received: int | None
    quarantined: int
    kept: int | None
    """Present in MongoDB."""
    raw: int | None
    staging: int | None

    @property
    def agrees(self) -> bool:
        """True where every stage has what the portal counts, but for what was kept out."""
        if self.portal is None:
            return False
        expected = self.portal - self.quarantined
        return self.received == self.portal and {self.kept, self.raw, self.staging} == {expected}


@dataclass(frozen=True)
class DatasetState:
    dataset: Dataset
    cadence: str
    late_after: timedelta | None
    """Age from which `dbt source freshness` warns."""
    counts: Counts
    now: datetime
    loads: list[Load] = field(default_factory=list)
    """Oldest first."""

    @property
    def url(self) -> str:
        return f"{self.dataset.portal.base_url}/explore/dataset/{self.dataset.dataset_id}/"

    @property
    def licence_url(self) -> str:
        return LICENCE_URLS[self.dataset.licence]

    @property
    def latest(self) -> Load | None:
        """The latest pull that ended well."""
        return _latest(self.loads)

    @property
    def changed_at(self) -> datetime | None:
        """When the pull began that last brought a change of any record (UTC)."""
        return next(
            (
                load["extracted_at"]
                for load in reversed(self.loads)
                if any(load[name] for name in _CHANGES)
            ),
            None,
        )

    @property
    def expected_on(self) -> date | None:
        """When the next change is due by the cadence."""
        days = CADENCES.get(self.cadence)
        if days is None or self.changed_at is None:
            return None
        return (self.changed_at + timedelta(days=days)).date()

    @property
    def timeliness(self) -> str:
        """``never`` read, ``late``, ``due``, ``on_time``, or ``unscheduled``."""
        if self.changed_at is None:
            return "never"
        if self.expected_on is None:
            return "unscheduled"
        if self.late_after and self.now - self.changed_at > self.late_after:
            return "late"
        return "due" if self.expected_on < self.now.date() else "on_time"


def dataset_states(
    connection: Connection, artifacts: Artifacts, now: datetime
) -> dict[str, DatasetState]:
    """The state of every dataset of the registry, by id.

    Args:
        connection: an open warehouse.
        artifacts: of the build that made its marts.
        now: UTC; what lateness is measured by.
    """
    columns = ", ".join(_LOAD_COLUMNS)
    relation = artifacts.manifest.relation(LOADS)
    loads: dict[str, list[Load]] = {dataset_id: [] for dataset_id in registry()}
    for row in connection.rows(f"select {columns} from {relation} order by run_sequence"):  # noqa: S608
        load = dict(zip(_LOAD_COLUMNS, map(utc, row), strict=True))
        loads.setdefault(load["dataset"], []).append(load)
    return {
        dataset_id: _state(connection, artifacts, dataset, loads[dataset_id], now)
        for dataset_id, dataset in registry().items()
    }


def _state(
    connection: Connection, artifacts: Artifacts, dataset: Dataset, loads: list[Load], now: datetime
) -> DatasetState:
    source = artifacts.source(dataset.dataset_id)
    warn_after = (source["freshness"] or {}).get("warn_after") or {}
    late_after = (
        timedelta(days=warn_after["count"] * _PERIODS[warn_after["period"]])
        if warn_after.get("count")
        else None
    )
    latest = _latest(loads)
    raw = staging = None
    if latest:
        raw = _count(
            connection,
            f"(select is_withdrawn from {source['relation_name']} qualify row_number() over"  # noqa: S608
            " (partition by record_key order by run_sequence desc) = 1) as latest",
        )
        if relation := artifacts.staging_relation(dataset.dataset_id):
            staging = _count(connection, relation)
    latest = latest or {}
    return DatasetState(
        dataset=dataset,
        cadence=str(source["config"]["meta"].get("cadence", "none")),
        late_after=late_after,
        counts=Counts(
            portal=latest.get("rows_expected"),
            received=latest.get("rows_received"),
            quarantined=latest.get("rows_quarantined") or 0,
            kept=latest.get("rows_present"),
            raw=raw,
            staging=staging,
        ),
        now=now,
        loads=loads,
    )


def _latest(loads: list[Load]) -> Load | None:
    return next((load for load in reversed(loads) if load["status"] == "finished"), None)


def _count(connection: Connection, relation: str) -> int:
    return int(connection.rows(f"select count(*) from {relation} where not is_withdrawn")[0][0])  # noqa: S608


def utc(value: Any) -> Any:
    """A warehouse's timestamp, naive there, with its time zone; anything else as it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Terms:
    """Under which terms a table may be reused, by the datasets whose content it shows."""

    sources: tuple[DatasetState, ...]

    @property
    def licence(self) -> str | None:
        """A database that descends from one under the ODbL is under it as a whole."""
        licences = [source.dataset.licence for source in self.sources]
        return SHARE_ALIKE if SHARE_ALIKE in licences else next(iter(licences), None)

    @property
    def licence_url(self) -> str | None:
        return LICENCE_URLS[self.licence] if self.licence else None

    @property
    def is_share_alike(self) -> bool:
        return self.licence == SHARE_ALIKE

    @property
    def other_licences(self) -> list[str]:
        licences = dict.fromkeys(source.dataset.licence for source in self.sources)
        return [licence for licence in licences if licence != self.licence]

    @property
    def attribution(self) -> str:
        return " ; ".join(dict.fromkeys(source.dataset.publisher for source in self.sources))

    @property
    def citation(self) -> str:
        """Every source with its address, licence and extraction."""
        return "; ".join(
            f"{source.dataset.publisher}, « {source.dataset.title} », {source.url},"
            f" {source.dataset.licence}"
            + (f", extracted {source.latest['extracted_at']:%Y-%m-%d}" if source.latest else "")
            for source in self.sources
        )

    @property
    def extracted_at(self) -> datetime | None:
        """When the latest of the pulls it rests on began (UTC)."""
        return max((s.latest["extracted_at"] for s in self.sources if s.latest), default=None)
