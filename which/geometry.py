"""Points and outlines on the scale of a city, coordinates in degrees, distances in metres."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Ring = list[list[float]]
Polygon = list[Ring]

METRES_PER_DEGREE = math.radians(1) * 6_371_008.8


@dataclass(frozen=True)
class Outline:
    """The blocks of a sector, each with its box."""

    blocks: tuple[tuple[tuple[float, float, float, float], Polygon], ...]

    @classmethod
    def of_geojson(cls, text: str) -> Outline:
        """From a Polygon or MultiPolygon."""
        geometry: dict[str, Any] = json.loads(text)
        polygons: Sequence[Polygon] = geometry["coordinates"]
        if geometry["type"] == "Polygon":
            polygons = [geometry["coordinates"]]
        return cls(tuple((_box(polygon), polygon) for polygon in polygons if polygon))

    def contains(self, longitude: float, latitude: float) -> bool:
        """Even-odd, block by block; the rule of the macro points_in_blocks."""
        return any(
            west <= longitude <= east
            and south <= latitude <= north
            and _crossings(polygon, longitude, latitude) % 2 == 1
            for (west, south, east, north), polygon in self.blocks
        )

    def distance_m(self, longitude: float, latitude: float, limit_m: float) -> float | None:
        """Metres to the nearest edge, for a point outside; None beyond the limit."""
        north_m = METRES_PER_DEGREE
        east_m = METRES_PER_DEGREE * math.cos(math.radians(latitude))
        best = limit_m
        found = False
        for (west, south, east, north), polygon in self.blocks:
            beside = max(west - longitude, longitude - east, 0.0) * east_m
            above = max(south - latitude, latitude - north, 0.0) * north_m
            if math.hypot(beside, above) > best:
                continue
            for ring in polygon:
                for (x1, y1, *_), (x2, y2, *_) in pairwise(ring):
                    away = _to_edge(
                        (x1 - longitude) * east_m,
                        (y1 - latitude) * north_m,
                        (x2 - longitude) * east_m,
                        (y2 - latitude) * north_m,
                    )
                    if away <= best:
                        best, found = away, True
        return best if found else None


def _box(polygon: Polygon) -> tuple[float, float, float, float]:
    longitudes = [point[0] for point in polygon[0]]
    latitudes = [point[1] for point in polygon[0]]
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _crossings(polygon: Polygon, longitude: float, latitude: float) -> int:
    return sum(
        (y1 > latitude) != (y2 > latitude)
        and longitude < (x2 - x1) * (latitude - y1) / (y2 - y1) + x1
        for ring in polygon
        for (x1, y1, *_), (x2, y2, *_) in pairwise(ring)
    )


def _to_edge(x1: float, y1: float, x2: float, y2: float) -> float:
    """Distance of the origin to a segment."""
    dx, dy = x2 - x1, y2 - y1
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, -(x1 * dx + y1 * dy) / length))
    return math.hypot(x1 + along * dx, y1 + along * dy)
