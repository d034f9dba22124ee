"""The answer: which collège, by which rule, since when, and how sure. Asks the marts alone."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ingestion.warehouse import Connection
from which.address import Address, is_in_range, plain
from which.geometry import Outline

Row = dict[str, Any]

NEAREST_LIMIT_M = 250.0
"""Outlines leave the streets out; farther than the widest square a point is in no sector."""
DRAWING_SHARE = 0.01
"""A sector that gained less of its area than this was drawn otherwise, and did not change."""

RANGES = "fr-en-carte-scolaire-colleges-publics"
OUTLINES = "secteurs-scolaires-colleges"


@dataclass
class Answer:
    """What is known of one address; `as_json` says it all."""

    status: str
    """`found`, `street_not_found`, `number_outside_ranges`, `no_number`, `several_places`,
    `year_not_held`, `point_needed` or `outside`."""
    colleges: list[Row] = field(default_factory=list)
    rule: str | None = None
    """`range`, `outline` or `nearest_outline`."""
    distance_m: int | None = None
    """To the nearest outline, where the rule is that."""
    certainty: str = "none"
    """`high`: both definitions agree; `medium`: one of them answers; `low`: they differ, or the
    answer is the nearest outline's; `none`."""
    by_range: Row | None = None
    by_outline: Row | None = None
    since: Row | None = None
    """`school_year` from which the collège is known for this address, `is_first_held` where nothing
    older is held, `before` the collèges before it, `basis` `point` or `sector`."""
    history: list[Row] = field(default_factory=list)
    alternatives: list[Row] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sources: list[Row] = field(default_factory=list)

    def as_json(self) -> Row:
        return dict(vars(self))


class Map:
    """The marts of one warehouse, read as far as an answer needs them.

    Args:
        connection: open, to a warehouse whose models are built.
        schema: where its marts are.
    """

    def __init__(self, connection: Connection, schema: str = "marts") -> None:
        self._connection = connection
        self._schema = schema

    def _rows(self, table: str, columns: str, condition: str = "true") -> list[Row]:
        names = columns.split()
        sql = f"select {', '.join(names)} from {self._schema}.{table} where {condition}"  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in self._connection.rows(sql)]

    @cached_property
    def colleges(self) -> dict[str, Row]:
        """College id → what an answer says of a collège."""
        rows = self._rows(
            "dim_college", "college_id uai college_name address arrondissement_number is_open"
        )
        return {row["college_id"]: row for row in rows}

    @cached_property
    def ranges(self) -> list[Row]:
        """The street ranges on the portal now that say which side of the street they mean."""
        return self._rows(
            "fct_street_range_college",
            "insee_code arrondissement_number street_name street_key number_from repetition_from"
            " number_to repetition_to parity is_single_college_commune uai college_id",
            "is_current and (parity is not null or street_key is null)",
        )

    @cached_property
    def streets(self) -> dict[str, list[Row]]:
        """Street key → its ranges."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.ranges:
            if row["street_key"]:
                found[row["street_key"]].append(row)
        return found

    @cached_property
    def outline_years(self) -> list[str]:
        """School years whose outlines are held, oldest first."""
        rows = self._rows("fct_sector_school_year", "school_year", "boundary_geojson is not null")
        return sorted({row["school_year"] for row in rows})

    @cached_property
    def outlines(self) -> dict[str, list[tuple[str, Outline]]]:
        """School year → sectors with their outlines."""
        found: dict[str, list[tuple[str, Outline]]] = defaultdict(list)
        for row in self._rows(
            "fct_sector_school_year",
            "school_year sector_name boundary_geojson",
            "boundary_geojson is not null",
        ):
            outline = Outline.of_geojson(row["boundary_geojson"])
            found[row["school_year"]].append((row["sector_name"], outline))
        return found

    @cached_property
    def members(self) -> dict[tuple[str, str], list[str]]:
        """(School year, sector) → its collèges."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in self._rows("bridge_sector_college", "school_year sector_name college_id"):
            found[row["school_year"], row["sector_name"]].append(row["college_id"])
        return {key: sorted(ids) for key, ids in found.items()}

    @cached_property
    def changes(self) -> list[Row]:
        """What changed collège, by blocks."""
        return self._rows(
            "fct_sector_change",
            "school_year from_school_year from_college_id to_college_id blocks area_km2",
            "blocks > 0",
        )

    @cached_property
    def areas_km2(self) -> dict[str, float]:
        """College id → area of its sectors in the latest outlines."""
        found: dict[str, float] = defaultdict(float)
        if self.outline_years:
            year = self.outline_years[-1]
            for row in self._rows(
                "fct_sector_school_year", "sector_name area_km2", f"school_year = '{year}'"
            ):
                for college_id in self.members.get((year, row["sector_name"]), []):
                    found[college_id] += row["area_km2"] or 0.0
        return found

    @cached_property
    def sources(self) -> list[Row]:
        """Both definitions: dataset, the latest pull that brought something, and the portal's date.

        Dates are of UTC; `published_on` is what the portal said, null where it said nothing.
        """
        published = {
            row["dataset"]: row["portal_data_processed_at"]
            for row in sorted(
                self._rows(
                    "fct_source_load",
                    "dataset run_sequence portal_data_processed_at",
                    "status = 'finished'",
                ),
                key=lambda row: row["run_sequence"],
            )
        }
        pulled = (
            (RANGES, self._rows("fct_street_range_college", "first_extracted_at", "is_current")),
            (OUTLINES, self._rows("fct_sector_school_year", "extracted_at")),
        )
        return [
            {
                "dataset": dataset,
                "extracted_on": _day(max(next(iter(row.values())) for row in rows)),
                "published_on": _day(published.get(dataset)),
            }
            for dataset, rows in pulled
            if rows
        ]

    # -- both definitions --------------------------------------------------------------------------

    def locate(self, year: str, longitude: float, latitude: float) -> Row | None:
        """The sector of a point in the outlines of a school year, or the nearest one.

        Returns:
            `school_year`, `sector_names`, `college_ids`, `distance_m` (0 inside); None farther than
            `NEAREST_LIMIT_M` from every outline.
        """
        inside = [
            name for name, outline in self.outlines[year] if outline.contains(longitude, latitude)
        ]
        away = 0.0
        if not inside:
            limit = NEAREST_LIMIT_M
            for name, outline in self.outlines[year]:
                distance = outline.distance_m(longitude, latitude, limit)
                if distance is not None and (not inside or distance < limit):
                    inside, limit = [name], distance
            if not inside:
                return None
            away = limit
        ids = {i for name in inside for i in self.members.get((year, name), [])}
        return {
            "school_year": year,
            "sector_names": sorted(inside),
            "college_ids": sorted(ids),
            "distance_m": round(away),
        }

    def named(self, college_ids: Iterable[str]) -> list[Row]:
        """What an answer says of collèges."""
        return [
            {
                key: self.colleges[i][key]
                for key in ("college_id", "uai", "college_name", "address", "arrondissement_number")
            }
            for i in college_ids
            if i in self.colleges
        ]

    def streets_like(self, address: Address, count: int = 5) -> list[str]:
        """Streets of the ranges, with their arrondissement, that the person may mean."""
        key = address.street_key
        if key is None:
            return []
        labels: dict[str, list[str]] = defaultdict(list)
        for row in self.ranges:
            if row["street_key"] and address.arrondissement in (
                None,
                row["arrondissement_number"],
            ):
                label = f"{row['street_name']}, {_place(row)}"
                if label not in labels[row["street_key"]]:
                    labels[row["street_key"]].append(label)
        within = sorted((k for k in labels if key in k), key=len)
        close = difflib.get_close_matches(key, labels, n=count, cutoff=0.6)
        last = plain(address.street or "").split(" ")[-1]
        alike = sorted((k for k in labels if len(last) > 3 and k.endswith(last)), key=len)
        keys = list(dict.fromkeys([*within[:count], *alike[:count], *close]))
        ratio = {k: difflib.SequenceMatcher(None, key, k).ratio() for k in keys}
        keys.sort(key=lambda k: -ratio[k])
        return [label for k in keys for label in sorted(labels[k])][:count]


def _day(moment: Any) -> str | None:
    return None if moment is None else str(moment.date())


def _place(row: Mapping[str, Any]) -> str:
    number = row["arrondissement_number"]
    return f"750{number:02d}" if number else str(row["insee_code"])


def find(
    held: Map,
    address: Address | None,
    point: tuple[float, float] | None = None,
    year: str | None = None,
) -> Answer:
    """Which collège an address, a point (longitude, latitude) or both belong to.

    The ministry's ranges need a number and a street; the city's outlines need a point, and no
    address has one here: without it the outlines stay silent. Where both speak, the ranges are the
    answer, because they are newer and because the city defines a sector by streets; with a `year`
    the outlines of that year are.

    Raises:
        WarehouseError: a mart is missing.
    """
    answer = Answer("found", sources=held.sources)
    range_ids = [] if address is None else _by_range(held, address, answer)
    years = held.outline_years
    if year is not None and year not in years:
        answer.status = "year_not_held"
        answer.notes.append(
            f"The outlines of {year} are not held; those of {', '.join(years) or 'no year'} are."
        )
        return answer
    located = []
    if point is not None:
        located = [found for y in years if (found := held.locate(y, *point)) is not None]
    wanted = year or (years[-1] if years else None)
    outline = next((found for found in located if found["school_year"] == wanted), None)
    if outline is not None:
        answer.by_outline = {**outline, "colleges": held.named(outline["college_ids"])}
    _choose(held, answer, range_ids, outline, has_point=point is not None, year=year)
    if answer.colleges:
        ids = [college["college_id"] for college in answer.colleges]
        _tell_history(held, answer, ids, located, range_ids, has_point=point is not None)
    return answer


def _by_range(held: Map, address: Address, answer: Answer) -> list[str]:
    rows = [
        row
        for row in held.streets.get(address.street_key or "", [])
        if address.arrondissement in (None, row["arrondissement_number"])
    ]
    if not rows:
        answer.status = "street_not_found"
        answer.suggestions = held.streets_like(address)
        return []
    if address.number is None:
        answer.status = "no_number"
        matching = rows
    else:
        matching = [row for row in rows if is_in_range(address, row)]
    ids = sorted({row["college_id"] for row in matching if row["college_id"]})
    places = sorted({_place(row) for row in rows})
    answer.by_range = {
        "street_names": sorted({row["street_name"] for row in rows}),
        "places": places,
        "ranges": [_range_text(row) for row in matching],
        "uais": sorted({row["uai"] for row in matching}),
        "college_ids": ids,
        "colleges": held.named(ids),
    }
    if not matching:
        answer.status = "number_outside_ranges"
        side = [
            row
            for row in rows
            if row["parity"] == "both" or (row["parity"] == "even") == (address.number % 2 == 0)  # type: ignore[operator]
        ]
        nearest = sorted(side or rows, key=lambda row: _gap(row, address.number or 0))[:1]
        answer.notes.append(
            f"Number {address.number} lies outside every range of the street; the nearest is"
            f" {_range_text(nearest[0])}."
        )
        near = [row["college_id"] for row in nearest if row["college_id"]]
        answer.alternatives = [{**c, "why": "nearest_range"} for c in held.named(near)]
        return []
    if len({_place(row) for row in matching}) > 1 and len(ids) > 1:
        answer.status = "several_places"
        answer.suggestions = [f"{row['street_name']}, {_place(row)}" for row in matching]
        answer.suggestions = sorted(set(answer.suggestions))
    elif answer.status == "no_number" and len(ids) == 1:
        answer.status = "found"
        answer.notes.append("The whole street belongs to one collège.")
    return ids if answer.status == "found" else []


def _gap(row: Mapping[str, Any], number: int) -> int:
    return max(int(row["number_from"]) - number, number - int(row["number_to"]), 0)


def _range_text(row: Mapping[str, Any]) -> str:
    if row["street_name"] is None:
        return "the whole commune"
    last = (
        "the end" if row["number_to"] == 9999 else f"{row['number_to']}{row['repetition_to'] or ''}"
    )
    sides = {"even": ", even numbers", "odd": ", odd numbers", "both": ""}
    first = f"{row['number_from']}{row['repetition_from'] or ''}"
    return f"{row['street_name']} {first} to {last}{sides[row['parity']]}"


def _choose(
    held: Map,
    answer: Answer,
    range_ids: Sequence[str],
    outline: Row | None,
    *,
    has_point: bool,
    year: str | None,
) -> None:
    outline_ids: list[str] = outline["college_ids"] if outline else []
    nearest = bool(outline and outline["distance_m"])
    if year is not None and not has_point and range_ids:
        answer.notes.append(
            f"The ranges have no school year. What the outlines of {year} say needs a point:"
            " --point LONGITUDE,LATITUDE."
        )
    by_outline = bool(outline_ids) and (year is not None or not range_ids)
    if by_outline:
        chosen, other, why = outline_ids, range_ids, "street_range"
        answer.rule = "nearest_outline" if nearest else "outline"
        answer.distance_m = outline["distance_m"] if outline and nearest else None
        answer.status = "found"
    elif range_ids:
        chosen, other, why = list(range_ids), outline_ids, "outline"
        answer.rule = "range"
    else:
        if has_point and outline is None and answer.status in ("found", "street_not_found"):
            answer.status = "outside"
            answer.notes.append(
                f"The point lies more than {NEAREST_LIMIT_M:.0f} m from every outline."
            )
        elif not has_point and answer.status == "found":
            answer.status = "point_needed"
        return
    answer.colleges = held.named(chosen)
    answer.alternatives += [
        {**college, "why": why} for college in held.named(i for i in other if i not in chosen)
    ]
    if range_ids and outline_ids and set(range_ids) == set(outline_ids):
        answer.certainty = "low" if nearest and by_outline else "high"
    elif range_ids and outline_ids:
        answer.certainty = "low"
        answer.notes.append("Both definitions differ: ask the rectorat or the town hall.")
    else:
        answer.certainty = "low" if nearest else "medium"
    if len(chosen) > 1:
        answer.notes.append(
            f"{len(chosen)} collèges share this address: the rectorat decides between them."
        )


def _tell_history(
    held: Map,
    answer: Answer,
    ids: Sequence[str],
    located: Sequence[Row],
    range_ids: Sequence[str],
    *,
    has_point: bool,
) -> None:
    if has_point and located:
        steps = [(found["school_year"], found["college_ids"]) for found in located]
        answer.history = [
            {
                "school_year": found["school_year"],
                "source": OUTLINES,
                "distance_m": found["distance_m"],
                "colleges": held.named(found["college_ids"]),
            }
            for found in located
        ]
        since, before = None, None
        for year, college_ids in reversed(steps):
            if set(college_ids) != set(ids):
                before = (year, college_ids)
                break
            since = year
        if before is None and since is not None:
            answer.since = {
                "school_year": since,
                "is_first_held": True,
                "before": [],
                "basis": "point",
            }
        elif before is not None:
            answer.since = {
                "school_year": since,
                "is_first_held": False,
                "before": held.named(before[1]),
                "before_school_year": before[0],
                "basis": "point",
            }
    elif range_ids and held.outline_years:
        answer.since = _sector_history(held, ids)


def _sector_history(held: Map, ids: Sequence[str]) -> Row | None:
    """Without a point: what the outlines say of the collège's sector as a whole."""
    oldest = held.outline_years[0]
    if not all(held.areas_km2.get(i) for i in ids):
        return None
    gained = []
    for change in held.changes:
        if change["to_college_id"] in ids and change["from_college_id"] not in ids:
            share = change["area_km2"] / held.areas_km2[change["to_college_id"]]
            if share >= DRAWING_SHARE:
                gained.append((change, share))
    gained.sort(key=lambda pair: (pair[0]["school_year"], -pair[1]))
    if not gained:
        return {
            "school_year": oldest,
            "is_first_held": True,
            "before": [],
            "basis": "sector",
        }
    return {
        "school_year": None,
        "is_first_held": False,
        "basis": "sector",
        "before": [
            {
                **held.named([change["from_college_id"]])[0],
                "until_school_year": change["from_school_year"],
                "from_school_year": change["school_year"],
                "sector_share_pct": round(100 * share, 1),
            }
            for change, share in gained
        ],
    }
