"""The files beside ``dashboard.json`` by which the page finds the collège of an address or a point.

``streets.json`` is the index of street ranges, ``outlines-<school year>.json`` the sectors of one
school year. The page asks for them when they are needed, and for nothing else: no address leaves
the browser. They come out of the marts that `colleges which` asks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ingestion.warehouse import Connection
from which.address import spelling
from which.answer import DRAWING_SHARE, NEAREST_LIMIT_M, OUTLINES, Map

Row = dict[str, Any]

MODELS = (
    "bridge_sector_college",
    "dim_college",
    "fct_sector_change",
    "fct_sector_school_year",
    "fct_source_load",
    "fct_street_range_college",
)
"""The marts read here."""
STREETS_FILE = "streets.json"
SCALE = 100_000
"""Units of a degree in which outlines are written: one is about a metre."""
TOLERANCE = 1.2
"""A corner nearer than this to the line without it, in those units, is left out."""


def sector_files(connection: Connection, schema: str, college_ids: Sequence[str]) -> dict[str, Row]:
    """File name → its content; none where the marts hold neither ranges nor outlines.

    Args:
        connection: an open warehouse.
        schema: of the marts.
        college_ids: of ``dashboard.json``; the files name a collège by its place among them.
    """
    held = Map(connection, schema)
    index = {college_id: place for place, college_id in enumerate(college_ids)}
    files: dict[str, Row] = {}
    if held.ranges:
        files[STREETS_FILE] = _streets(held, index)
    for year in held.outline_years:
        rows = connection.rows(
            f"select sector_name, boundary_geojson from {schema}.fct_sector_school_year"  # noqa: S608
            f" where school_year = '{year}' and boundary_geojson is not null order by sector_name"
        )
        files[outlines_file(year)] = {
            "school_year": year,
            "scale": SCALE,
            "nearest_limit_m": NEAREST_LIMIT_M,
            "sectors": [
                {
                    "name": name,
                    "colleges": [index[i] for i in held.members.get((year, name), [])],
                    "blocks": _blocks(json.loads(boundary)),
                }
                for name, boundary in rows
            ],
        }
    return files


def outlines_file(school_year: str) -> str:
    return f"outlines-{school_year}.json"


def _streets(held: Map, index: Mapping[str, int]) -> Row:
    """The ranges by arrondissement and street.

    A street is ``[name, ranges]``, a range ``[collège, from, to, side]`` with the side 0 even, 1
    odd, 2 both and 9999 for the end of the street, and both repetitions behind where there are any.
    """
    sides = {"even": 0, "odd": 1, "both": 2}
    places: dict[str, dict[str, list[list[Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in held.ranges:
        if not (row["street_name"] and row["college_id"] and row["arrondissement_number"]):
            continue
        packed = [
            index[row["college_id"]],
            row["number_from"],
            row["number_to"],
            sides[row["parity"]],
        ]
        if row["repetition_from"] or row["repetition_to"]:
            packed += [row["repetition_from"], row["repetition_to"]]
        places[str(row["arrondissement_number"])][row["street_name"]].append(packed)
    return {
        "spelling": spelling(),
        "places": {
            place: [
                [name, sorted(ranges, key=lambda r: [str(part) for part in r])]
                for name, ranges in sorted(streets.items())
            ]
            for place, streets in sorted(places.items())
        },
        "gained": _gained(held, index),
        "first_outlines": held.outline_years[0] if held.outline_years else None,
        "sources": [
            {**source, "kind": "outlines" if source["dataset"] == OUTLINES else "ranges"}
            for source in held.sources
        ],
    }


def _gained(held: Map, index: Mapping[str, int]) -> list[Row]:
    """What a collège's sectors got from another's, in per cent of their latest area."""
    found = []
    for change in held.changes:
        area = held.areas_km2.get(change["to_college_id"])
        if area and change["area_km2"] / area >= DRAWING_SHARE:
            found.append(
                {
                    "to": index[change["to_college_id"]],
                    "from": index[change["from_college_id"]],
                    "school_year": change["school_year"],
                    "until": change["from_school_year"],
                    "share_pct": round(100 * change["area_km2"] / area, 1),
                }
            )
    return sorted(found, key=lambda row: (row["school_year"], -row["share_pct"]))


def _blocks(geometry: Mapping[str, Any]) -> list[list[list[int]]]:
    """Blocks of rings; a ring is its first corner, then the way from corner to corner, unclosed."""
    polygons = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        polygons = [polygons]
    blocks = ([_ring(ring) for ring in polygon] for polygon in polygons)
    return [kept for block in blocks if (kept := [r for r in block if len(r) >= 6])]


def _ring(ring: Sequence[Sequence[float]]) -> list[int]:
    corners = [(round(x * SCALE), round(y * SCALE)) for x, y, *_ in ring[:-1]]
    corners = _simplified(corners)
    packed: list[int] = []
    before = (0, 0)
    for x, y in corners:
        packed += [x - before[0], y - before[1]]
        before = (x, y)
    return packed


def _simplified(corners: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without corners that lie on the line between those that are kept beside them."""
    kept = list(corners[:1])
    for place in range(1, len(corners)):
        here = corners[place]
        after = corners[(place + 1) % len(corners)]
        if here != kept[-1] and _off_line(here, kept[-1], after) > TOLERANCE:
            kept.append(here)
    return kept if len(kept) >= 3 else list(dict.fromkeys(corners))


def _off_line(point: tuple[int, int], a: tuple[int, int], b: tuple[int, int]) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length: float = (dx * dx + dy * dy) ** 0.5
    if length == 0:
        away: float = ((point[0] - a[0]) ** 2 + (point[1] - a[1]) ** 2) ** 0.5
        return away
    return abs(dx * (point[1] - a[1]) - dy * (point[0] - a[0])) / length


def write(files: Mapping[str, Row], put: Callable[[str, str], object]) -> Iterable[str]:
    """Hand each file's name and text to ``put``; returns the names."""
    for name, content in files.items():
        put(name, json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    return list(files)
