"""What the city's portal says of an invented city: collèges, their sectors, arrondissements.

Shapes are those of the real records; field order too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from sandbox.sample.city import City, College
from sandbox.sample.extractions import SECTOR_YEARS, YEARS, Extraction
from sandbox.sample.geography import (
    ARRONDISSEMENTS,
    M_PER_DEGREE_LATITUDE,
    Block,
    Point,
    area_m2,
    blocks,
    centroid,
    label,
    m_per_degree_longitude,
    outline,
    perimeter_m,
    shifted,
)

Record = dict[str, Any]
Sector = tuple[College, ...]


def college_records(city: City, extraction: Extraction, rng: random.Random) -> Iterator[Record]:
    """One record per collège and school-year label."""
    for year in extraction.years:
        for index, college in enumerate(city.colleges):
            if not college.is_open(year):
                continue
            name, address = college.names[year], college.addresses[year]
            if year == 3 and extraction.is_first:
                if college.role == "rekeyed":
                    name = name.replace("-", " ")
                elif college.role == "corrected" and address is not None:
                    address = address.replace("12 ", "21 ", 1)
            if year == 3 and extraction.is_reencoded and college.role == "missing_once":
                continue
            longitude, latitude = college.points[year]
            if not extraction.is_first:
                # Computed again for every extraction: from the 11th decimal on it differs.
                longitude += rng.uniform(-5e-11, 5e-11)
                latitude += rng.uniform(-5e-11, 5e-11)
            yield {
                "id_projet": _project(YEARS[year], extraction),
                "libelle": name,
                "adresse": address,
                "arr_libelle": label(college.arrondissement),
                "arr_insee": city.insee_code(college.arrondissement),
                "annee_scol": YEARS[year],
                "type_etabl": "Collège" if year >= 2 else None,
                "geo_shape": _shape(college, index, (longitude, latitude), year, extraction),
                "geo_point_2d": (
                    _cut(longitude, latitude)
                    if year <= 3 and not extraction.is_reencoded
                    else {"lon": longitude, "lat": latitude}
                ),
            }


def _project(year: str, extraction: Extraction) -> str:
    written = year if " " in year else year.replace("-", "/")
    if extraction.has_new_columns:
        return f"Collèges publics, année scolaire {written}"
    return f"COLLEGES (année scolaire {written})"


def _shape(
    college: College, index: int, point: Point, year: int, extraction: Extraction
) -> Record | None:
    if year == 5 and college.role == "shapeless":
        return None
    geometry = {"type": "Point", "coordinates": list(point)}
    if (extraction.is_reencoded or year == 5) and index % 4 == 0:
        return geometry
    return {"type": "Feature", "geometry": geometry, "properties": {}}


def _cut(longitude: float, latitude: float) -> Record:
    return {"lon": float(f"{longitude:.12g}"), "lat": float(f"{latitude:.12g}")}


def sectors(city: City, year: int) -> Iterator[Sector]:
    """The collèges of each sector, one or two, in the given year (index of ``YEARS``)."""
    for college in city.colleges:
        if not college.is_open(year) or college.role == "no_sector":
            continue
        partner = college.partner
        if partner is None or not partner.is_open(year):
            yield (college,)
        elif college.role != "host":  # a host stands in the sector of its annex
            yield (college, partner)


def sector_records(city: City, extraction: Extraction) -> Iterator[Record]:
    """One record per sector; the layout is that of the extraction's sector year."""
    year = extraction.sector_year
    areas = sector_areas(city, year) if year else {}
    for sector in sectors(city, year):
        # The sectors keep a hyphen that the collège dataset loses.
        listed = [college.names[0 if college.role == "unhyphened" else year] for college in sector]
        addresses = [college.addresses[year] for college in sector]
        if year == 0:
            yield _old_sector(listed, addresses)
        else:
            yield {
                "id_projet": _project(SECTOR_YEARS[year], extraction),
                **_new_sector(listed, addresses, SECTOR_YEARS[year], is_whole=city.number > 0),
                **areas[sector[0].uai],
            }


def _old_sector(listed: list[str], addresses: Sequence[str | None]) -> Record:
    """Layout of 2017-2018: no geometry, and a second collège stands in ``etiquette`` alone."""
    of = "des collèges" if len(listed) > 1 else "du collège"
    return {
        "id_projet": "9017",
        "libelle": listed[0],
        "zone_commune": "1" if len(listed) > 1 else "0",
        "etiquette": f"Secteur {of} {' / '.join(listed)}",
        **_slots("lib_etab", listed[:1]),
        **_slots("adr_etab", addresses[:1]),
        "annee_scol": SECTOR_YEARS[0],
        "geo_shape": None,
        "geo_point_2d": None,
    }


def _new_sector(
    listed: list[str], addresses: Sequence[str | None], year: str, *, is_whole: bool
) -> Record:
    name, tag = listed[0], f"Secteur du collège {listed[0]}"
    if len(listed) > 1:
        first, second = (part.rsplit(" ", 1)[-1] for part in listed)
        # Two surnames meet again in another city; a whole name does not.
        name = f"SMC {first} / {listed[1] if is_whole else second}"
        tag = "Secteur commun des collèges \n" + " \n".join(listed)
    return {
        "libelle": name,
        "annee_scol": year,
        "zone_commune": "1" if len(listed) > 1 else "0",
        "etiquette": tag,
        **_slots("lib_etab", listed),
        **_slots("adr_etab", addresses),
    }


def _slots(prefix: str, values: Sequence[str | None]) -> Record:
    return {
        f"{prefix}_{slot + 1}": values[slot] if slot < len(values) else None for slot in range(4)
    }


def sector_areas(city: City, year: int) -> dict[str, Record]:
    """UAI of a sector's first collège → the fields of its area, which stand from 2023-2024 on.

    After that year one sector gives a block to its neighbour.
    """
    built = _nearest_blocks(city)
    if year > _FIRST_YEAR_WITH_AREAS:
        giver, taker = _exchange(city, built)
        built[taker].append(built[giver].pop())
    areas: dict[str, Record] = {}
    for rank, sector in enumerate(sectors(city, _FIRST_YEAR_WITH_AREAS)):
        there = [block for college in sector for block in built[college.uai]]
        areas[sector[0].uai] = _area(there, city.offset, is_invalid=rank % 12 == 5)
    return areas


_FIRST_YEAR_WITH_AREAS = 4


def _exchange(city: City, built: Mapping[str, Sequence[Block]]) -> tuple[str, str]:
    """UAI of the collège that gives a block away, and of the one that gets it."""
    alone = [c for c in city.colleges if c.uai in built and c.partner is None]
    return next(
        (college.uai, other.uai)
        for college, other in pairwise(alone)
        if college.arrondissement == other.arrondissement and len(built[college.uai]) > 2
    )


def _nearest_blocks(city: City) -> dict[str, list[Block]]:
    """UAI → the blocks (of city 0) nearest to that collège within its arrondissement."""
    offset_x, offset_y = city.offset
    found: dict[str, list[Block]] = {}
    for arrondissement in ARRONDISSEMENTS:
        members = [
            (college.points[0][0] - offset_x, college.points[0][1] - offset_y, college.uai)
            for college in city.colleges
            if college.arrondissement == arrondissement.number
            and college.role not in ("no_sector", "closed")
        ]
        there = blocks(arrondissement.number)
        for *_, code in members:
            found[code] = []
        for block in there:
            _, code = min((_away(block, x, y), code) for x, y, code in members)
            found[code].append(block)
        for x, y, code in members:
            if not found[code]:
                found[code].append(min(there, key=partial(_away, x=x, y=y)))
    return found


def _away(block: Block, x: float, y: float) -> float:
    """Square of the distance, in degrees of latitude."""
    return (block.centre[0] - x) ** 2 * _NARROWING**2 + (block.centre[1] - y) ** 2


_NARROWING = m_per_degree_longitude(48.86) / M_PER_DEGREE_LATITUDE


def _area(there: Sequence[Block], offset: Point, *, is_invalid: bool) -> Record:
    rings = [
        [
            [round(x + offset[0], 6), round(y + offset[1], 6)]
            for x, y in (*block.ring, block.ring[0])
        ]
        for block in there
    ]
    if is_invalid:
        # Some of the real polygons cross themselves, too.
        rings[0][1], rings[0][2] = rings[0][2], rings[0][1]
    middle = math.fsum(block.centre[1] for block in there) / len(there)
    narrowing = m_per_degree_longitude(middle + offset[1]) / m_per_degree_longitude(middle)
    return {
        "st_area_shape": narrowing * math.fsum(block.area_m2 for block in there),
        "st_perimeter_shape": math.fsum(block.perimeter_m for block in there),
        "type_etabl": "Collège",
        "geo_shape": {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]},
            "properties": {},
        },
        "geo_point_2d": {
            "lon": math.fsum(block.centre[0] for block in there) / len(there) + offset[0],
            "lat": middle + offset[1],
        },
    }


def arrondissement_records(city: City) -> Iterator[Record]:
    """One record per arrondissement; ``c_ar`` goes on counting from city to city by hundreds."""
    for number, name, *_ in ARRONDISSEMENTS:
        ring = shifted(outline(number), city.offset)
        longitude, latitude = centroid(ring)
        closed = [list(point) for point in (*ring, ring[0])]
        yield {
            "n_sq_ar": 759_000_000 + 100 * city.number + number,
            "c_ar": 100 * city.number + number,
            "c_arinsee": int(city.insee_code(number)),
            "l_ar": label(number),
            "l_aroff": name,
            "n_sq_co": 759_100_000 + city.number,
            "surface": area_m2(ring),
            "perimetre": perimeter_m(ring),
            "geom_x_y": {"lon": longitude, "lat": latitude},
            "geom": {
                "type": "Feature",
                "geometry": {"coordinates": [closed], "type": "Polygon"},
                "properties": {},
            },
        }
