"""Where the invented cities lie: twenty simple outlines, city blocks, and a little plane geometry.

The outlines are drawn by hand from named corners, so that neighbours share their borders exactly.
They have the look of Paris and none of its survey: nothing here may be used as a map.
Coordinates are (longitude, latitude) in degrees, WGS 84. Sums are ``math.fsum``: the result of
``sum`` over floats depends on the version of Python, and the sample's bytes must not.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import isqrt
from typing import NamedTuple

Point = tuple[float, float]
Ring = tuple[Point, ...]

M_PER_DEGREE_LATITUDE = 111_195.0
# Cities lie further apart than any collège looks for a neighbour in (1 km).
CITY_PITCH_LONGITUDE = 0.262
CITY_PITCH_LATITUDE = 0.1


class Arrondissement(NamedTuple):
    """One of the twenty, as every city has it."""

    number: int
    name: str
    colleges: int
    """Public collèges in it, before any closure; 115 in all."""
    privilege: float
    """How well off its families are, 0 to 1: what results and social position follow from."""
    corners: str


_CORNERS: dict[str, Point] = {
    # along the river, upstream to downstream
    "s0": (2.3905, 48.8268),
    "s1": (2.3752, 48.8376),
    "s2": (2.3654, 48.8448),
    "s3": (2.3580, 48.8502),
    "s4": (2.3452, 48.8545),
    "s5": (2.3328, 48.8592),
    "s6": (2.3196, 48.8636),
    "s7": (2.3014, 48.8642),
    "s8": (2.2896, 48.8572),
    "s9": (2.2782, 48.8468),
    "s10": (2.2628, 48.8342),
    # right bank
    "concorde": (2.3214, 48.8662),
    "madeleine": (2.3270, 48.8696),
    "chatelet": (2.3478, 48.8574),
    "arts": (2.3508, 48.8632),
    "archives": (2.3524, 48.8612),
    "marais": (2.3612, 48.8577),
    "drouot": (2.3388, 48.8716),
    "poissonniere": (2.3480, 48.8706),
    "st_denis": (2.3544, 48.8692),
    "republique": (2.3636, 48.8674),
    "vosges": (2.3680, 48.8560),
    "bastille": (2.3692, 48.8530),
    "st_lazare": (2.3256, 48.8758),
    "clichy": (2.3276, 48.8834),
    "villiers": (2.3154, 48.8814),
    "monceau": (2.3086, 48.8802),
    "ternes": (2.2984, 48.8780),
    "etoile": (2.2952, 48.8738),
    "pigalle": (2.3374, 48.8822),
    "barbes": (2.3494, 48.8838),
    "chapelle": (2.3646, 48.8844),
    "crimee": (2.3704, 48.8946),
    "stalingrad": (2.3706, 48.8822),
    "fabien": (2.3704, 48.8774),
    "belleville": (2.3770, 48.8720),
    "lachaise": (2.3874, 48.8626),
    "auguste": (2.3902, 48.8576),
    "nation": (2.3960, 48.8484),
    "faidherbe": (2.3832, 48.8506),
    "jourdain": (2.3896, 48.8756),
    "guy_moquet": (2.3276, 48.8902),
    # left bank
    "hopital": (2.3556, 48.8386),
    "gobelins": (2.3482, 48.8374),
    "sante": (2.3424, 48.8384),
    "port_royal": (2.3370, 48.8398),
    "luxembourg": (2.3402, 48.8472),
    "montparnasse": (2.3266, 48.8424),
    "maine": (2.3214, 48.8422),
    "duroc": (2.3164, 48.8468),
    "babylone": (2.3266, 48.8514),
    "segur": (2.3076, 48.8474),
    "champ": (2.2990, 48.8528),
    "rails": (2.3120, 48.8334),
    "glaciere": (2.3434, 48.8314),
    # the outer limit, clockwise from the west
    "o1": (2.2796, 48.8784),
    "o2": (2.2838, 48.8864),
    "o3": (2.2982, 48.8950),
    "o4": (2.3128, 48.9004),
    "o5": (2.3296, 48.9010),
    "o6": (2.3452, 48.9014),
    "o7": (2.3600, 48.9016),
    "o8": (2.3704, 48.9018),
    "o9": (2.3852, 48.9020),
    "o10": (2.3962, 48.8976),
    "o11": (2.3992, 48.8890),
    "o12": (2.4032, 48.8830),
    "o13": (2.4104, 48.8782),
    "o14": (2.4136, 48.8700),
    "o15": (2.4142, 48.8600),
    "o16": (2.4148, 48.8470),
    "o17": (2.4300, 48.8412),
    "o18": (2.4402, 48.8460),
    "o19": (2.4620, 48.8422),
    "o20": (2.4680, 48.8300),
    "o21": (2.4640, 48.8188),
    "o22": (2.4420, 48.8176),
    "o23": (2.4200, 48.8242),
    "o24": (2.4080, 48.8270),
    "o25": (2.3796, 48.8214),
    "o26": (2.3648, 48.8164),
    "o27": (2.3440, 48.8160),
    "o28": (2.3318, 48.8172),
    "o29": (2.3150, 48.8222),
    "o30": (2.3010, 48.8252),
    "o31": (2.2890, 48.8280),
    "o32": (2.2750, 48.8318),
    "o33": (2.2552, 48.8352),
    "o34": (2.2520, 48.8420),
    "o35": (2.2392, 48.8496),
    "o36": (2.2244, 48.8532),
    "o37": (2.2270, 48.8650),
    "o38": (2.2350, 48.8722),
    "o39": (2.2460, 48.8762),
    "o40": (2.2584, 48.8806),
}

ARRONDISSEMENTS: tuple[Arrondissement, ...] = (
    Arrondissement(1, "Louvre", 1, 0.75, "s6 concorde madeleine arts archives chatelet s4 s5"),
    Arrondissement(2, "Bourse", 1, 0.70, "madeleine drouot poissonniere st_denis arts"),
    Arrondissement(3, "Temple", 3, 0.70, "arts st_denis republique vosges marais archives"),
    Arrondissement(
        4,
        "Hôtel-de-Ville",
        2,
        0.72,
        "chatelet archives marais vosges bastille s2 s3 s4",
    ),
    Arrondissement(5, "Panthéon", 5, 0.80, "s4 s3 s2 hopital gobelins sante port_royal luxembourg"),
    Arrondissement(
        6,
        "Luxembourg",
        2,
        0.90,
        "s5 s4 luxembourg port_royal montparnasse maine duroc babylone",
    ),
    Arrondissement(7, "Palais-Bourbon", 2, 0.92, "s6 s5 babylone duroc segur champ s8 s7"),
    Arrondissement(
        8,
        "Élysée",
        3,
        0.88,
        "s7 s6 concorde madeleine st_lazare clichy villiers monceau ternes etoile",
    ),
    Arrondissement(
        9, "Opéra", 4, 0.72, "madeleine drouot poissonniere barbes pigalle clichy st_lazare"
    ),
    Arrondissement(
        10,
        "Entrepôt",
        5,
        0.48,
        "poissonniere st_denis republique belleville fabien stalingrad chapelle barbes",
    ),
    Arrondissement(
        11,
        "Popincourt",
        6,
        0.55,
        "republique belleville lachaise auguste nation faidherbe bastille vosges",
    ),
    Arrondissement(
        12,
        "Reuilly",
        7,
        0.55,
        "bastille faidherbe nation o16 o17 o18 o19 o20 o21 o22 o23 o24 s0 s1 s2",
    ),
    Arrondissement(
        13, "Gobelins", 11, 0.40, "s2 s1 s0 o25 o26 o27 glaciere sante gobelins hopital"
    ),
    Arrondissement(
        14,
        "Observatoire",
        6,
        0.55,
        "port_royal sante glaciere o27 o28 o29 o30 rails maine montparnasse",
    ),
    Arrondissement(15, "Vaugirard", 8, 0.70, "s8 champ segur duroc maine rails o30 o31 o32 s10 s9"),
    Arrondissement(
        16,
        "Passy",
        6,
        0.90,
        "etoile s7 s8 s9 s10 o33 o34 o35 o36 o37 o38 o39 o40 o1",
    ),
    Arrondissement(
        17,
        "Batignolles-Monceau",
        7,
        0.62,
        "o1 o2 o3 o4 o5 guy_moquet clichy villiers monceau ternes etoile",
    ),
    Arrondissement(
        18,
        "Buttes-Montmartre",
        11,
        0.32,
        "clichy guy_moquet o5 o6 o7 o8 crimee chapelle barbes pigalle",
    ),
    Arrondissement(
        19,
        "Buttes-Chaumont",
        13,
        0.25,
        "chapelle crimee o8 o9 o10 o11 o12 o13 jourdain belleville fabien stalingrad",
    ),
    Arrondissement(
        20, "Ménilmontant", 12, 0.30, "belleville jourdain o13 o14 o15 o16 nation auguste lachaise"
    ),
)
# The two woods belong to the 12th and the 16th; nobody lives there.
_BUILT_WEST, _BUILT_EAST = 2.2535, 2.4160


def label(number: int) -> str:
    """``1er Ardt``, ``2ème Ardt``, as the city writes them."""
    return "1er Ardt" if number == 1 else f"{number}ème Ardt"


def city_offset(city: int) -> Point:
    """How far city ``city`` lies from city 0, in degrees.

    Cities fill growing squares, so a city's place does not depend on how many there are.
    """
    shell = isqrt(city)
    rest = city - shell * shell
    column, row = (shell, rest) if rest <= shell else (2 * shell - rest, shell)
    return column * CITY_PITCH_LONGITUDE, row * CITY_PITCH_LATITUDE


def m_per_degree_longitude(latitude: float) -> float:
    """Length of one degree of longitude, in metres."""
    return M_PER_DEGREE_LATITUDE * math.cos(math.radians(latitude))


def moved(point: Point, distance_m: float, bearing: float) -> Point:
    """The point ``distance_m`` metres away; ``bearing`` in radians, counter-clockwise from east."""
    longitude, latitude = point
    return (
        longitude + distance_m * math.cos(bearing) / m_per_degree_longitude(latitude),
        latitude + distance_m * math.sin(bearing) / M_PER_DEGREE_LATITUDE,
    )


def distance_m(a: Point, b: Point) -> float:
    """Distance in metres, on the plane: good to 1 in 1000 within a city."""
    east = (b[0] - a[0]) * m_per_degree_longitude((a[1] + b[1]) / 2)
    return math.hypot(east, (b[1] - a[1]) * M_PER_DEGREE_LATITUDE)


def shifted(ring: Sequence[Point], offset: Point) -> Ring:
    """The ring, moved by ``offset`` degrees."""
    return tuple((x + offset[0], y + offset[1]) for x, y in ring)


def contains(ring: Sequence[Point], point: Point) -> bool:
    """Whether the point lies inside the ring (even-odd rule)."""
    x, y = point
    inside = False
    x1, y1 = ring[-1]
    for x2, y2 in ring:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        x1, y1 = x2, y2
    return inside


def area_m2(ring: Sequence[Point]) -> float:
    """Area in square metres."""
    middle = math.fsum(y for _, y in ring) / len(ring)
    twice = math.fsum(
        x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True)
    )
    return abs(twice) / 2 * M_PER_DEGREE_LATITUDE * m_per_degree_longitude(middle)


def perimeter_m(ring: Sequence[Point]) -> float:
    """Length of the closed ring in metres."""
    return math.fsum(distance_m(a, b) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))


def centroid(ring: Sequence[Point]) -> Point:
    """Centre of area of a simple ring."""
    x0, y0 = ring[0]
    twice = cx = cy = 0.0
    for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
        cross = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        twice += cross
        cx += (x1 + x2 - 2 * x0) * cross
        cy += (y1 + y2 - 2 * y0) * cross
    return x0 + cx / (3 * twice), y0 + cy / (3 * twice)


@cache
def outline(number: int) -> Ring:
    """Outline of an arrondissement of city 0: an open ring, borders shared with its neighbours."""
    names = ARRONDISSEMENTS[number - 1].corners.split()
    ring: list[Point] = []
    for name, following in zip(names, (*names[1:], names[0]), strict=True):
        ring.append(_CORNERS[name])
        ring.extend(_bend(name, following))
    return tuple(ring)


def _bend(name: str, following: str) -> Iterator[Point]:
    """A corner half-way along a long border, off the line: the same from both sides."""
    first, second = sorted((name, following))
    a, b = _CORNERS[first], _CORNERS[second]
    length = distance_m(a, b)
    if length < 400:
        return
    aside = random.Random(f"{first} {second}").uniform(-0.06, 0.06)  # noqa: S311
    x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    across = math.atan2(
        (b[0] - a[0]) * m_per_degree_longitude(y), -(b[1] - a[1]) * M_PER_DEGREE_LATITUDE
    )
    bent = moved((x, y), aside * length, across)
    yield round(bent[0], 6), round(bent[1], 6)


@dataclass(frozen=True)
class Block:
    """A city block of city 0: a quadrilateral between streets."""

    centre: Point
    ring: Ring
    area_m2: float
    perimeter_m: float


@cache
def blocks(number: int) -> tuple[Block, ...]:
    """The built-up blocks whose centre lies in the arrondissement, from one slanted grid."""
    border = outline(number)
    width, depth, street = 0.0052, 0.0029, 0.0003
    west, south = 2.22, 48.81
    found = []
    for row in range(34):
        for column in range(-4, 52):
            # The slant keeps the streets from looking like a ruler's.
            x = west + column * width + row * 0.0011
            y = south + row * depth + column * 0.0002
            centre = (x + width / 2, y + depth / 2)
            if not (_BUILT_WEST < centre[0] < _BUILT_EAST and contains(border, centre)):
                continue
            corners = (
                (x, y),
                (x + width - street, y + 0.0002),
                (x + width - street + 0.0011, y + depth - street + 0.0002),
                (x + 0.0011, y + depth - street),
            )
            ring = tuple((round(a, 6), round(b, 6)) for a, b in corners)
            found.append(Block(centre, ring, area_m2(ring), perimeter_m(ring)))
    return tuple(found)


def place(rng: random.Random, number: int) -> Point:
    """A random point of the arrondissement of city 0: built-up, and 60 m or more from its border.

    The margin keeps the small moves of the sample inside.
    """
    ring = outline(number)
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    south, north = min(y for _, y in ring), max(y for _, y in ring)
    west, east = max(west, _BUILT_WEST), min(east, _BUILT_EAST)
    while True:
        point = (rng.uniform(west, east), rng.uniform(south, north))
        if all(contains(ring, moved(point, 60, quarter * math.pi / 2)) for quarter in range(4)):
            return point


def lambert93(point: Point) -> Point:
    """(x, y) in metres, EPSG:2154: what the ministry gives beside the degrees."""
    eccentricity, exponent = 0.0818191910428158, 0.7256077650532670
    scale, false_x, false_y = 11_754_255.4261, 700_000.0, 12_655_612.0499
    sine = math.sin(math.radians(point[1]))
    isometric = math.atanh(sine) - eccentricity * math.atanh(eccentricity * sine)
    radius = scale * math.exp(-exponent * isometric)
    angle = exponent * math.radians(point[0] - 3)
    return false_x + radius * math.sin(angle), false_y - radius * math.cos(angle)
