"""Place is checked against place, and a move is measured from the place reported last."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.mutations.colleges import (
    CHANGES,
    NEXT_YEAR,
    OPEN,
    OPENED_OR_CLOSED,
    THIS_YEAR,
    decision,
    elsewhere,
    later,
    moved,
    now,
    of,
    past,
)
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import ARRONDISSEMENTS, COLLEGES, DIRECTORY, Record, State

VALMY = (
    "select insee_code, arrondissement_number, is_place_conflicting, longitude is null"
    " from marts.fct_college_school_year"
    f" where college_name = 'VALMY' and school_year = '{NEXT_YEAR}'"
)
INSEE_CODES = (
    "select count(distinct insee_code) from marts.fct_college_school_year"
    " where insee_code like '751%'"
    " and school_year = (select max(school_year) from marts.fct_college_school_year)"
)
SUMMED = (
    "select sum(college_count) from marts.agg_arrondissement_school_year"
    f" where school_year = '{NEXT_YEAR}'"
)


def _valmy(**fields: object) -> State:
    return later().edit(COLLEGES, of("VALMY"), fields)


def _placed(name: str, concludes: str, *, conflicts: bool = True, **fields: object) -> Case:
    """VALMY, 10th, whatever one of the three says."""
    return Case(
        name=name,
        concludes=concludes,
        states=lambda: [past(), now(), _valmy(**fields)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CHANGES: [],
            VALMY: [("75110", 10, conflicts, False)],
            SUMMED: [(114,)],
        },
        warns=["college_place_conflicts"] if conflicts else [],
        passes=["colleges_sum_to_arrondissements"]
        + ([] if conflicts else ["college_place_conflicts"]),
    )


def _without_outlines(state: State) -> State:
    return state.only(*(name for name in state.records if name != ARRONDISSEMENTS))


def _everywhere(change: Callable[[Record], Mapping[str, object]]) -> State:
    """Every record of the next school year changed."""
    return later().edit(COLLEGES, {"annee_scol": NEXT_YEAR}, change)


def _nothing_moves(
    name: str,
    concludes: str,
    change: Callable[[Record], Mapping[str, object]],
    *,
    warns: bool = False,
) -> Case:
    """The same in all 114 records: a way of writing, and no event of anybody's.

    `warns`: that so many changed at once; else nothing did that the marts compare.
    """
    return Case(
        name=name,
        concludes=concludes,
        states=lambda: [past(), now(), _everywhere(change)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CHANGES: [],
            SUMMED: [(114,)],
            INSEE_CODES: [(20,)],
        },
        warns=["changes_of_many_at_once"] if warns else [],
        passes=[
            "colleges_sum_to_arrondissements",
            "published_college_ids_stay",
            *([] if warns else ["changes_of_many_at_once"]),
        ],
    )


def _north(record: Record, metres: float) -> dict[str, object]:
    longitude, latitude = record["geo_shape"]["geometry"]["coordinates"]
    point = [longitude, latitude + metres / 111195]
    shape = {"type": "Feature", "geometry": {"type": "Point", "coordinates": point}}
    return {
        "geo_shape": {**shape, "properties": {}},
        "geo_point_2d": {"lon": point[0], "lat": point[1]},
    }


def _entered_twice(name: str) -> State:
    entry = now().one(DIRECTORY, {"patronyme_uai": name, "code_commune": "75110"})
    return now().adding(DIRECTORY, {**entry, "numero_uai": "0759999Z"}).at("2024-11-19")


def _exchanged(record: Record) -> dict[str, object]:
    """Longitude and latitude of an entry of the directory."""
    position = record["position"]
    return {
        "longitude": record["latitude"],
        "latitude": record["longitude"],
        "position": position and {"lon": position["lat"], "lat": position["lon"]},
    }


def _outline_exchanged(record: Record) -> dict[str, object]:
    def turned(part: Any) -> Any:
        return [turned(inner) for inner in part] if isinstance(part[0], list) else part[::-1]

    geometry = record["geom"]["geometry"]
    turned_round = {**geometry, "coordinates": turned(geometry["coordinates"])}
    return {"geom": {**record["geom"], "geometry": turned_round}}


def _abbreviated(record: Record) -> dict[str, object]:
    address = str(record["adresse"] or "").upper()
    for word, short in (("BOULEVARD", "bd"), ("AVENUE", "av."), ("RUE", "r."), ("SAINT", "st")):
        address = re.sub(rf"\b{word}\b", short, address)
    return {"adresse": address or None}


def _walking(metres_north: float) -> list[State]:
    """Four school years, each under another address and so much further north."""
    states = [past(), now()]
    state = now()
    for number, address in enumerate(
        ("2 PLACE HAUTE", "3 QUAI MALAQUAIS", "4 AVENUE FOCH", "5 RUE BLANCHE"), start=1
    ):
        before, label = f"{2022 + number}-{2023 + number}", f"{2023 + number}-{2024 + number}"
        state = moved(
            state.next_school_year(label, before),
            "VALMY",
            north=metres_north / 111195,
            school_year=label,
            adresse=address,
        ).at("2027-11-20")
    return [*states, state]


CASES = distinct(
    _placed("a_code_that_label_and_point_contradict", "VALMY in the 1st", arr_insee="75101"),
    _placed("a_label_that_code_and_point_contradict", "VALMY in the 1st", arr_libelle="1er Ardt"),
    _placed("a_code_of_no_arrondissement", "a 21st arrondissement", arr_insee="75121"),
    _placed("a_postal_code_for_a_code", "a collège in no arrondissement", arr_insee="75010"),
    _placed("no_code", "a sum of 113", conflicts=False, arr_insee=None),
    _placed(
        "neither_code_nor_label", "a sum of 113", conflicts=False, arr_insee=None, arr_libelle=None
    ),
    Case(
        name="a_point_a_tenth_of_a_degree_off_is_no_move",
        concludes="that VALMY moved 7.3 km, out of Paris",
        states=lambda: [past(), now(), moved(later(), "VALMY", east=0.1)],
        expect={CHANGES: [], VALMY: [("75110", 10, True, True)], SUMMED: [(114,)]},
        warns=["college_place_conflicts"],
    ),
    Case(
        name="longitude_and_latitude_exchanged_are_no_move",
        concludes="that VALMY moved to the Indian Ocean",
        states=lambda: [past(), now(), moved(later(), "VALMY", north=-46.5, east=46.5)],
        expect={CHANGES: [], VALMY: [("75110", 10, True, True)]},
        warns=["college_place_conflicts"],
    ),
    Case(
        name="a_point_moved_within_the_arrondissement",
        concludes="that no point ever moves",
        states=lambda: [past(), now(), moved(later(), "VALMY", north=-0.002)],
        expect={CHANGES: [("point_moved", 222.0)], VALMY: [("75110", 10, False, False)]},
        passes=["college_place_conflicts"],
    ),
    Case(
        name="another_street_without_a_move_is_readdressed",
        concludes="that nothing changed",
        states=lambda: [past(), now(), _valmy(adresse="3 RUE DES RECOLLETS")],
        expect={CHANGES: [("readdressed", None)]},
    ),
    Case(
        name="another_number_lost_or_found_is_no_change",
        concludes="that VALMY moved",
        states=lambda: [past(), now(), _valmy(adresse="Quai de Valmy")],
        expect={CHANGES: []},
    ),
    Case(
        name="a_street_respelled_is_no_change",
        concludes="that VALMY moved",
        states=lambda: [past(), now(), _valmy(adresse="199 bis, quai de Valmi")],
        expect={CHANGES: []},
    ),
    *(
        Case(
            name=f"an_address_written_{name}_is_no_change",
            concludes="that VALMY moved",
            states=lambda address=address: [past(), now(), _valmy(adresse=address)],
            expect={CHANGES: []},
        )
        for name, address in (
            ("with_its_town", "199, quai de Valmy, 75010 Paris"),
            ("with_its_town_and_no_postal_code", "199, quai de Valmy, Paris 10e"),
            ("behind_its_street", "QUAI DE VALMY, 199"),
            ("with_a_sign_before_its_number", "N° 199 QUAI DE VALMY"),
            ("as_not_known", "Non renseignée"),
        )
    ),
    Case(
        name="an_address_left_out_is_no_change",
        concludes="that VALMY moved",
        states=lambda: [past(), now(), _valmy(adresse=None)],
        expect={CHANGES: []},
    ),
    Case(
        name="small_steps_add_up",
        concludes="that a collège 356 m from where it was never moved",
        states=lambda: _walking(89),
        expect={
            "select school_year, change_type, round(moved_m) from marts.fct_college_change"
            f" where school_year >= '{NEXT_YEAR}' order by 1": [
                ("2024-2025", "readdressed", None),
                ("2025-2026", "relocated", 178.0),
                ("2026-2027", "readdressed", None),
                ("2027-2028", "relocated", 178.0),
            ]
        },
    ),
    Case(
        name="the_arrondissement_of_a_year_is_that_years",
        concludes="that VALMY always stood in the 20th",
        states=lambda: [past(), now(), elsewhere()],
        seeds={
            "college_identity_decisions": [
                decision("VALMY", "75120", "VALMY", canonical_insee_code="75110")
            ]
        },
        expect={
            "select school_year, arrondissement_number from marts.fct_college_school_year"
            f" where college_name = 'VALMY' and school_year >= '{THIS_YEAR}' order by 1": [
                (THIS_YEAR, 10),
                (NEXT_YEAR, 20),
            ]
        },
    ),
    _nothing_moves(
        "codes_written_as_numbers",
        "114 collèges in no arrondissement",
        lambda record: {"arr_insee": int(str(record["arr_insee"]))},
    ),
    _nothing_moves(
        "postal_codes_for_all_codes",
        "114 collèges in no arrondissement",
        lambda record: {"arr_insee": f"750{str(record['arr_insee'])[3:]}"},
    ),
    _nothing_moves(
        "all_points_fifty_metres_off", "that 114 collèges moved", lambda record: _north(record, 50)
    ),
    _nothing_moves(
        "all_points_missing",
        "that no arrondissement has a collège",
        lambda record: {"geo_shape": None, "geo_point_2d": None},
    ),
    _nothing_moves(
        "all_points_150_metres_off",
        "that 114 collèges moved",
        lambda record: _north(record, 150),
        warns=True,
    ),
    Case(
        name="who_moved_while_all_points_were_off_did_move",
        concludes="that nothing happened to VALMY",
        states=lambda: [
            past(),
            now(),
            moved(
                _everywhere(lambda record: _north(record, 150)), "VALMY", north=-0.009, east=-0.002
            ),
        ],
        expect={CHANGES: [("point_moved", 863.0)]},
        warns=["changes_of_many_at_once"],
    ),
    _nothing_moves(
        "all_at_the_town_hall",
        "that 114 collèges have another address",
        lambda _: {"adresse": "4 PLACE DE L'HOTEL DE VILLE"},
        warns=True,
    ),
    _nothing_moves("all_streets_abbreviated", "that 114 collèges moved", _abbreviated),
    *(
        Case(
            name=f"positions_{name}_the_directory_take_no_link_away",
            concludes="that four collèges have no UAI and no results",
            states=lambda change=change: [
                past(),
                now(),
                now().edit(DIRECTORY, dict[str, str](), change).at("2024-11-19"),
            ],
            expect={
                "select count(uai) from marts.dim_college where is_open": [(114,)],
                "select count(college_id) from marts.fct_college_result": [(226,)],
            },
            warns=warns,
        )
        for name, change, warns in (
            ("missing_in", {"longitude": None, "latitude": None, "position": None}, []),
            ("exchanged_in", _exchanged, ["values_left_out"]),
        )
    ),
    Case(
        name="an_entry_made_twice_in_the_directory_takes_no_link_away",
        concludes="that VALMY has no UAI",
        states=lambda: [
            past(),
            now(),
            _entered_twice("VALMY"),
        ],
        expect={"select uai from marts.dim_college where college_name = 'VALMY'": [("0750584C",)]},
    ),
    Case(
        name="outlines_exchanged_move_nobody",
        concludes="that every place is wrong, and ROSE BLANCHE never moved",
        states=lambda: [
            past(),
            now(),
            now().edit(ARRONDISSEMENTS, dict[str, str](), _outline_exchanged).at("2024-11-19"),
        ],
        expect={
            "select change_type, count(*) from marts.fct_college_change group by 1 order by 1": [
                ("closed", 1),
                ("point_moved", 1),
                ("relocated", 1),
                ("renamed", 2),
            ]
        },
        passes=["college_place_conflicts"],
    ),
    Case(
        name="without_outlines_code_and_label_still_say_where",
        concludes="that no arrondissement has a collège",
        states=lambda: [_without_outlines(past()), _without_outlines(now())],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select count(*), count(uai) from marts.dim_college": [(115, 114)],
            "select count(distinct arrondissement_number) from marts.fct_college_school_year": [
                (20,)
            ],
            INSEE_CODES: [(20,)],
        },
        passes=["published_college_ids_stay"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
