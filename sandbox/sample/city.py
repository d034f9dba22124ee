"""One invented city: its collèges, what happens to them over the years, its private schools.

Every city has the same cast (one closure, two renames, …), played by its own schools.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Literal

from sandbox.sample import names
from sandbox.sample.geography import (
    ARRONDISSEMENTS,
    Point,
    city_offset,
    contains,
    distance_m,
    moved,
    outline,
    place,
)
from sandbox.sample.names import Address, Person, capitals

PUBLIC_COLLEGES = sum(arrondissement.colleges for arrondissement in ARRONDISSEMENTS)
MAX_SCALE = names.PEOPLE // PUBLIC_COLLEGES

Role = Literal[
    "closed",  # not seen after the first label
    "misspelt",  # loses its last letter from 2020-2021 on, in the city's data only
    "relocated",  # loses its article, moves house and 245 m away; later the point alone comes back
    "nudged",  # its point moves 23.5 m: below any threshold
    "drifted",  # its point moves 238 m in 2024/2025, under an unchanged address
    "elided",  # D' X, once D'X
    "numberless",  # loses its street number, and finds it again
    "unhyphened",  # loses the hyphen of its name in 2023-2024
    "corrected",  # an address of 2021-2022 is corrected by the second extraction
    "rekeyed",  # a name of 2021-2022 is corrected by the second extraction: another key
    "missing_once",  # its record of 2021-2022 is absent from the second extraction alone
    "no_sector",
    "last_name_only",  # so the directory calls it
    "saint",  # ST X here, SAINT-X there
    "homonym",  # has a private namesake close by
    "shapeless",  # no geo_shape in 2024/2025
    "annex",  # shares its sector
    "host",  # the one it shares it with
]

# (arrondissement, place among its collèges) of those whose part is fixed.
_ROLES: dict[tuple[int, int], Role] = {
    (16, 0): "closed",
    (10, 0): "misspelt",
    (17, 0): "relocated",
    (13, 0): "nudged",
    (20, 0): "drifted",
    (13, 1): "elided",
    (19, 0): "numberless",
    (15, 0): "corrected",
    (12, 0): "missing_once",
    (14, 0): "no_sector",
    (15, 1): "last_name_only",
    (14, 1): "saint",
    (19, 1): "homonym",
    (11, 0): "homonym",
    (20, 1): "homonym",
    (17, 1): "shapeless",
    (18, 0): "annex",
    (18, 1): "annex",
    (19, 2): "annex",
}
_LOWER_TYPES = 60  # addresses that change letter case only, in 2020-2021
_MIN_DISTANCE_M = 180.0
_FIRST_UAI_ELSEWHERE = 1_000_000
_UAI_PER_CITY = 500
_UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"

ASSOCIATION = ("30", "CONTRAT D'ASSOCIATION TOUTES CLASSES")
_PARTLY = ("31", "CONTRAT ASSOCIATION PARTIE DES CLASSES")
_SIMPLE = ("20", "CONTRAT SIMPLE TOUTES CLASSES")
_NONE = ("10", "HORS CONTRAT")
PUBLIC_CONTRACT = ("99", "SANS OBJET")


@dataclass(slots=True)
class College:
    """A public collège and its years, one entry per label of ``YEARS``."""

    person: Person
    arrondissement: int
    uai: str
    quality: float
    """Standing in for its intake, 0 to 1: what its results follow from."""
    role: Role | None
    names: tuple[str, ...]
    addresses: tuple[str | None, ...]
    points: tuple[Point, ...]
    directory_name: str
    """Mixed case, as the ministry calls it, without ``Collège``."""
    directory_address: str
    directory_point: Point
    partner: College | None = None
    """Whom it shares its sector with."""

    def is_open(self, year: int) -> bool:
        """Whether it has a record for the label ``YEARS[year]``."""
        return year == 0 or self.role != "closed"


@dataclass(slots=True)
class PrivateSchool:
    """A private school of the directory."""

    name: str
    arrondissement: int
    uai: str
    quality: float
    address: str
    point: Point
    contract: tuple[str, str]
    nature: int

    @property
    def is_contracted(self) -> bool:
        """Under contract with the state: the only ones with results and positions."""
        return self.contract is not _NONE and self.nature == 340


@dataclass(slots=True)
class City:
    """All schools of one city."""

    number: int
    colleges: list[College] = field(default_factory=list)
    private_schools: list[PrivateSchool] = field(default_factory=list)

    @property
    def offset(self) -> Point:
        """How far it lies from city 0, in degrees."""
        return city_offset(self.number)

    def insee_code(self, arrondissement: int) -> str:
        """``75101`` … ``75120`` in city 0; the last two digits are the arrondissement."""
        return f"{751 + self.number}{arrondissement:02d}"


def uai(city: int, index: int, prefix: int = 75) -> str:
    """A well-formed UAI: seven digits and their check letter.

    City 0 takes numbers 9000 on of a département, which no real school has; the others take a range
    of their own, since a département has ten thousand numbers only.
    """
    number = prefix * 10_000 + 9_000 + index
    if city:
        number = _FIRST_UAI_ELSEWHERE + city * _UAI_PER_CITY + index
    return f"{number:07d}{_UAI_LETTERS[number % len(_UAI_LETTERS)]}"


def build_city(number: int, seed: int) -> City:
    """City ``number`` of the sample with this seed; the same whatever the scale."""
    rng = random.Random(f"city {seed} {number}")  # noqa: S311 - invention, not secrets
    city = City(number)
    taken: list[Point] = []
    lower_types = set(rng.sample(range(PUBLIC_COLLEGES), _LOWER_TYPES))
    hyphened: list[Role] = ["unhyphened", "rekeyed"]
    for arrondissement in ARRONDISSEMENTS:
        for rank in range(arrondissement.colleges):
            index = len(city.colleges)
            person = names.person(number * PUBLIC_COLLEGES + index, seed)
            role = _ROLES.get((arrondissement.number, rank))
            if role is None and hyphened and "-" in person.first:
                role = hyphened.pop(0)
            point = _apart(rng, arrondissement.number, taken)
            city.colleges.append(
                _college(
                    rng,
                    city,
                    index,
                    person,
                    role,
                    arrondissement.number,
                    point,
                    is_lower=index in lower_types,
                )
            )
    if hyphened:
        raise AssertionError("fewer than two hyphened first names in a city")
    _share_sectors(city)
    _add_private_schools(rng, city)
    return city


def _apart(rng: random.Random, arrondissement: int, taken: list[Point]) -> Point:
    while True:
        point = place(rng, arrondissement)
        if all(distance_m(point, other) >= _MIN_DISTANCE_M for other in taken):
            taken.append(point)
            return point


def _college(
    rng: random.Random,
    city: City,
    index: int,
    person: Person,
    role: Role | None,
    arrondissement: int,
    point: Point,
    *,
    is_lower: bool,
) -> College:
    privilege = ARRONDISSEMENTS[arrondissement - 1].privilege
    quality = min(1.0, max(0.0, rng.gauss(privilege, 0.15)))
    where = names.address(rng)
    mixed = str(person)
    if role == "relocated":
        mixed = names.grange(person)
    elif role == "saint":
        mixed = f"Saint-{mixed}"
    elif role == "elided":
        where = where._replace(street_type="avenue", street=f"d'Aub{person.last.lower()}")
    elif role == "numberless":
        where = where._replace(street_type="boulevard", street=f"Mac{person.last}")
    elif role == "misspelt":
        where = where._replace(street_type="rue", street=f"de {person.last}-et-{person.first}")
    elif role == "corrected":
        where = where._replace(number=12, suffix="")

    listed = _names(role, mixed)
    addresses = _addresses(rng, role, where, is_lower=is_lower)
    places = _places(rng, role, point, arrondissement)
    offset_x, offset_y = city.offset
    directory_name = person.last if role == "last_name_only" else mixed
    return College(
        person=person,
        arrondissement=arrondissement,
        uai=uai(city.number, index),
        quality=quality,
        role=role,
        names=listed,
        addresses=addresses,
        # The survey is redone every year: up to a millimetre off.
        points=tuple(
            (x + offset_x + rng.uniform(-4.5e-9, 4.5e-9), y + offset_y + rng.uniform(-3e-9, 3e-9))
            for x, y in places
        ),
        directory_name=directory_name,
        directory_address=str(where),
        directory_point=_geocoded(rng, (point[0] + offset_x, point[1] + offset_y)),
    )


def _names(role: Role | None, mixed: str) -> tuple[str, ...]:
    name = capitals(mixed)
    if role == "misspelt":
        return (name,) * 2 + (name[:-1],) * 4
    if role == "relocated":
        return (name,) + (name.removeprefix("LA "),) * 5
    if role == "saint":
        return (name.replace("SAINT-", "ST "),) * 6
    if role == "unhyphened":
        return (name,) * 4 + (name.replace("-", " "),) * 2
    return (name,) * 6


def _addresses(
    rng: random.Random, role: Role | None, where: Address, *, is_lower: bool
) -> tuple[str | None, ...]:
    upper = where.as_the_city_writes()
    if role == "relocated":
        new = names.address(rng).as_the_city_writes()
        return (upper,) + (new,) * 5
    if role == "elided":
        spaced = upper.replace("D'", "D' ")
        return (spaced, upper, *(spaced,) * 4)
    if role == "numberless":
        bare = where.as_the_city_writes(numbered=False).replace(" MAC", " MAC ")
        mixed = f"{where.number}{where.suffix} {where.street_type} {where.street}"
        return (mixed, upper, bare, bare, upper, upper)
    if role == "misspelt":
        hyphenless = upper.replace("-ET-", " ET ")
        return (upper, upper, None, upper, hyphenless, hyphenless)
    if is_lower and role != "corrected":
        lower = where.as_the_city_writes(lower_type=True)
        return (lower,) * 2 + (upper,) * 4
    return (upper,) * 6


def _places(
    rng: random.Random, role: Role | None, point: Point, arrondissement: int
) -> tuple[Point, ...]:
    def away(distance: float) -> Point:
        start = rng.uniform(0, 2 * math.pi)
        ring = outline(arrondissement)
        candidates = (moved(point, distance, start + turn * math.pi / 12) for turn in range(24))
        return next(candidate for candidate in candidates if contains(ring, candidate))

    if role == "relocated":
        return (point, *(away(245.0),) * 3, point, point)
    if role == "nudged":
        return (point, point, *(away(23.5),) * 4)
    if role == "drifted":
        return (point,) * 5 + (away(238.0),)
    return (point,) * 6


def _geocoded(rng: random.Random, point: Point) -> Point:
    """The ministry's point for the same address: some tens of metres off."""
    return moved(point, min(80.0, abs(rng.gauss(0, 30))), rng.uniform(0, 2 * math.pi))


def _share_sectors(city: City) -> None:
    """Pair each annex, and the closed collège, with its nearest neighbour."""
    for college in city.colleges:
        if college.role not in ("annex", "closed"):
            continue
        free = [
            other
            for other in city.colleges
            if other.arrondissement == college.arrondissement
            and other.role is None
            and other.partner is None
        ]
        here = college.points[0]

        def distance(other: College, here: Point = here) -> float:
            return distance_m(here, other.points[0])

        partner = min(free, key=distance)
        partner.role = "host"
        college.partner, partner.partner = partner, college


def _add_private_schools(rng: random.Random, city: City) -> None:
    plan: list[tuple[int, tuple[str, str], int]] = [
        *((340, ASSOCIATION, 60), (340, _PARTLY, 2), (340, _SIMPLE, 1)),
        *((340, _NONE, 36), (350, ASSOCIATION, 2), (352, _SIMPLE, 3)),
    ]
    kinds = [(nature, contract) for nature, contract, count in plan for _ in range(count)]
    homonyms = [college for college in city.colleges if college.role == "homonym"]
    numbers = [arrondissement.number for arrondissement in ARRONDISSEMENTS]
    weights = [
        arrondissement.colleges * (0.3 + arrondissement.privilege)
        for arrondissement in ARRONDISSEMENTS
    ]
    offset_x, offset_y = city.offset
    for index, (nature, contract) in enumerate(kinds):
        if index < len(homonyms):
            name = str(homonyms[index].person)
            x, y = homonyms[index].points[0]
            arrondissement, point = _near(rng, (x - offset_x, y - offset_y))
        else:
            name = names.private_school(rng)
            arrondissement = rng.choices(numbers, weights)[0]
            point = place(rng, arrondissement)
        privilege = ARRONDISSEMENTS[arrondissement - 1].privilege
        city.private_schools.append(
            PrivateSchool(
                name=name,
                arrondissement=arrondissement,
                uai=uai(city.number, PUBLIC_COLLEGES + index),
                quality=min(1.0, max(0.0, rng.gauss(0.15 + 0.85 * privilege, 0.1))),
                address=str(names.address(rng)),
                point=(point[0] + offset_x, point[1] + offset_y),
                contract=contract,
                nature=nature,
            )
        )


def _near(rng: random.Random, point: Point) -> tuple[int, Point]:
    """A place 1.2 km away or a little less, and the arrondissement it falls in."""
    start = rng.uniform(0, 2 * math.pi)
    for turn in range(120):
        candidate = moved(point, 1200.0 - 5 * turn, start + turn * math.pi / 12)
        for arrondissement in ARRONDISSEMENTS:
            if contains(outline(arrondissement.number), candidate):
                return arrondissement.number, candidate
    raise AssertionError(f"no arrondissement within 1.2 km of {point}")
