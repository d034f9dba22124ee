"""What the cases about collèges share: the states they start from, and changes to one collège."""

from __future__ import annotations

from typing import Any

from tests.mutations.states import COLLEGES, Record, State, recorded

THIS_YEAR, NEXT_YEAR = "2023-2024", "2024-2025"

OPEN = "select count(*) from marts.dim_college where is_open"
CURRENT = "select school_year from marts.dim_school_year where is_current"
OPENED_OR_CLOSED = (
    "select d.college_name, c.school_year, c.change_type from marts.fct_college_change as c"
    " join marts.dim_college as d using (college_id)"
    " where c.change_type in ('opened', 'closed') and c.school_year > '2019-2020' order by all"
)
"""But for EUGENE DELACROIX, which did close in 2019-2020."""
CHANGES = (
    "select change_type, round(moved_m) from marts.fct_college_change"
    f" where school_year = '{NEXT_YEAR}' order by all"
)
CONFLICTS = (
    "select conflict_type, college_name, other_college_name"
    " from marts.rpt_college_identity_conflict order by all"
)
ELSEWHERE = "1 RUE DE NULLE PART"


def past() -> State:
    """2017-2018 to 2021-2022."""
    return recorded("2021-05")


def now() -> State:
    """2023-2024, read on the day before those of `later`."""
    return recorded("2024-11").at("2024-11-18")


def later() -> State:
    """The same and the next school year, whole and unchanged."""
    return now().next_school_year(NEXT_YEAR, THIS_YEAR).at("2024-11-19")


def of(name: str, school_year: str = NEXT_YEAR) -> dict[str, Any]:
    """The record of a collège in a school year."""
    return {"libelle": name, "annee_scol": school_year}


def renamed(name: str, other: str, state: State | None = None, **also: Any) -> State:
    """`later` with another name in the next school year."""
    return (state or later()).edit(COLLEGES, of(name), {"libelle": other, **also})


def moved(
    state: State,
    name: str,
    *,
    north: float = 0.0,
    east: float = 0.0,
    school_year: str = NEXT_YEAR,
    **also: Any,
) -> State:
    """A state with a collège's point so many degrees further north and east."""

    def change(record: Record) -> dict[str, Any]:
        longitude, latitude = record["geo_shape"]["geometry"]["coordinates"]
        point = [longitude + east, latitude + north]
        return {
            "geo_shape": {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": point},
                "properties": {},
            },
            "geo_point_2d": {"lon": point[0], "lat": point[1]},
            **also,
        }

    return state.edit(COLLEGES, of(name, school_year), change)


def elsewhere() -> State:
    """VALMY, 10th, under its name at JEAN PERRIN's end of the town, the 20th."""
    there = now().one(COLLEGES, {"libelle": "JEAN PERRIN"})
    place = ("arr_insee", "arr_libelle", "geo_shape", "geo_point_2d")
    changes = {**{name: there[name] for name in place}, "adresse": ELSEWHERE}
    return later().edit(COLLEGES, of("VALMY"), changes)


def decision(
    name: str, insee_code: str, canonical: str, school_year: str = NEXT_YEAR, **also: str
) -> dict[str, str]:
    """A row of the seed college_identity_decisions: the name is the canonical one's."""
    return {
        "college_name": name,
        "insee_code": insee_code,
        "canonical_name": canonical,
        "spelled_in_school_year": school_year,
        "decided_by": "data steward",
        "decided_on": "2026-11-28",
        "evidence": "a test",
        **also,
    }
