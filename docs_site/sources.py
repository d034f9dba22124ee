"""The state of each dataset: what it covers, when it was published and read, whether counts agree.

Being current is judged by the publisher's calendar, never by our own pulls: a dataset that is read
every day and has not been published for two years is late.
"""

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

COVERAGE = "rpt_source_coverage"
SCHOOL_YEAR_ENDS = (8, 31)
"""Month and day."""

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
    """Of a dataset published daily: the age of the portal's own date from which it is late."""
    published_within: int | None
    """Of a yearly dataset: a school year is expected on the portal before so many more have begun
    after it. 1: within the school year itself; 2: within the one after."""
    counts: Counts
    now: datetime
    loads: list[Load] = field(default_factory=list)
    """Oldest first."""
    first_school_year: str | None = None
    last_school_year: str | None = None
    """The latest school year with a fact from it; None where it has no school years."""

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
    def published_at(self) -> datetime | None:
        """When the portal says it last processed the data (UTC)."""
        return self.latest["portal_data_processed_at"] if self.latest else None

    @property
    def expected(self) -> tuple[str, date] | None:
        """The next school year, and the day by which it should be on the portal."""
        if self.published_within is None or self.last_school_year is None:
            return None
        start = int(self.last_school_year[:4]) + 1
        return f"{start}-{start + 1}", date(start + self.published_within, *SCHOOL_YEAR_ENDS)

    @property
    def timeliness(self) -> str:
        """``never`` read, ``late``, ``on_time``, or ``unscheduled``."""
        if self.latest is None:
            return "never"
        if self.cadence == "daily" and self.late_after and self.published_at:
            return "late" if self.now - self.published_at > self.late_after else "on_time"
        if self.expected is None:
            return "unscheduled"
        return "late" if self.expected[1] < self.now.date() else "on_time"


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
    covered = {
        dataset_id: (first, last)
        for dataset_id, first, last in connection.rows(
            "select dataset, first_school_year, last_school_year"  # noqa: S608
            f" from {artifacts.manifest.relation(COVERAGE)}"
        )
    }
    return {
        dataset_id: _state(
            connection, artifacts, dataset, loads[dataset_id], covered.get(dataset_id), now
        )
        for dataset_id, dataset in registry().items()
    }


def _state(
    connection: Connection,
    artifacts: Artifacts,
    dataset: Dataset,
    loads: list[Load],
    covered: tuple[str, str] | None,
    now: datetime,
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
    meta = source["config"]["meta"]
    first_school_year, last_school_year = covered or (None, None)
    return DatasetState(
        dataset=dataset,
        cadence=str(meta.get("cadence", "none")),
        late_after=late_after,
        published_within=meta.get("published_within_years"),
        first_school_year=first_school_year,
        last_school_year=last_school_year,
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
    def published_at(self) -> datetime | None:
        """The latest of the portals' own dates (UTC)."""
        return max((s.published_at for s in self.sources if s.published_at), default=None)

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
            + (f", published {source.published_at:%Y-%m-%d}" if source.published_at else "")
            + (f", extracted {source.latest['extracted_at']:%Y-%m-%d}" if source.latest else "")
            for source in self.sources
        )

    @property
    def extracted_at(self) -> datetime | None:
        """When the latest of the pulls it rests on began (UTC)."""
        return max((s.latest["extracted_at"] for s in self.sources if s.latest), default=None)
