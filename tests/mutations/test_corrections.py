"""What the portal corrects within a school year is no event in the life of a collège."""

from __future__ import annotations

from tests.mutations.colleges import (
    CONFLICTS,
    NEXT_YEAR,
    OPEN,
    OPENED_OR_CLOSED,
    THIS_YEAR,
    decision,
    later,
    moved,
    now,
    of,
    past,
)
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, SECTORS, State

DAY_AFTER, TWO_DAYS_AFTER = "2024-11-19", "2024-11-20"
ZERO_KM = (
    "select count(*) from marts.fct_college_distance"
    f" where distance_km = 0 and school_year = '{THIS_YEAR}'"
)
THIS_YEARS_COLLEGES = (
    f"select count(*) from marts.fct_college_school_year where school_year = '{THIS_YEAR}'"
)


DOLTO = {"libelle": "FRANCOISE DOLTO"}
DOLTO_SECTORS = (
    "select sector_name, is_withdrawn from marts.bridge_sector_college"
    " join marts.dim_college as d using (college_id)"
    f" where d.college_name = 'FRANCOISE DOLTO' and school_year = '{THIS_YEAR}' order by all"
)
EVERY = dict[str, str]()
RENAMED = (
    "select change_type from marts.fct_college_change"
    f" where school_year = '{THIS_YEAR}' and change_type = 'renamed'"
)


def _replaced(north: float) -> State:
    """GEORGES BRASSENS under another name and address, so many degrees further north."""
    return moved(
        _respelled("GEORGES BRASSENS", "G. BRASSENS"),
        "G. BRASSENS",
        north=north,
        school_year=THIS_YEAR,
        adresse="3 RUE DE NULLE PART",
    )


def _with_test_entry() -> State:
    mozart = now().one(COLLEGES, of("MOZART", THIS_YEAR))
    return now().adding(COLLEGES, {**mozart, "libelle": "TEST NE PAS UTILISER"})


def _with_new_college(name: str) -> State:
    """A collège that no school year before has, 330 m from MOZART."""
    mozart = now().one(COLLEGES, of("MOZART", THIS_YEAR))
    state = now().adding(COLLEGES, {**mozart, "libelle": name, "adresse": "9 RUE NEUVE"})
    return moved(state, name, north=0.003, school_year=THIS_YEAR)


def _respelled(name: str, other: str, day: str = DAY_AFTER) -> State:
    return now().edit(COLLEGES, of(name, THIS_YEAR), {"libelle": other}).at(day)


def _renamed_sector(name: str) -> State:
    change = {"libelle": name, "lib_etab_1": name}
    return now().edit(SECTORS, DOLTO, change).at(DAY_AFTER)


def _corrected(name: str, other: str) -> Case:
    """A spelling corrected from one day to the next: one collège, one id, an alias."""
    words = "_".join(other.lower().replace(".", "").replace("'", "_").split())
    return Case(
        name=f"corrected_to_{words}",
        concludes=f"{name} is still open beside {other}, its own neighbour at 0.0 km",
        states=lambda: [past(), now(), _respelled(name, other)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            ZERO_KM: [(0,)],
            "select count(*), count(uai) from marts.dim_college": [(115, 114)],
            "select count(*) from marts.bridge_college_id_alias where not is_decided": [(1,)],
        },
        passes=["published_college_ids_stay", "college_identity_conflicts"],
    )


CASES = distinct(
    Case(
        name="a_test_entry_taken_back_never_was_open",
        concludes="a collège TEST NE PAS UTILISER, the nearest neighbour of MOZART",
        states=lambda: [past(), _with_test_entry(), now().at(DAY_AFTER)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            ZERO_KM: [(0,)],
            "select college_name, is_open, first_school_year from marts.dim_college"
            " where is_retracted": [("TEST NE PAS UTILISER", False, None)],
            "select reason, college_name from marts.rpt_college_record_not_counted": [
                ("retracted", "TEST NE PAS UTILISER")
            ],
            THIS_YEARS_COLLEGES: [(114,)],
        },
        passes=["published_college_ids_stay", "college_records_not_counted"],
    ),
    Case(
        name="a_test_entry_put_back_is_there_again",
        concludes="that what was once taken back can never come",
        states=lambda: [
            past(),
            _with_test_entry(),
            now().at(DAY_AFTER),
            _with_test_entry().at(TWO_DAYS_AFTER),
        ],
        expect={
            OPEN: [(115,)],
            "select count(*) from marts.dim_college where is_retracted": [(0,)],
        },
        passes=["published_college_ids_stay"],
    ),
    _corrected("ANTOINE COYSEVOX", "ANTOINE COYZEVOX"),
    _corrected("GEORGES BRASSENS", "G. BRASSENS"),
    _corrected("JULES VERNE", "VERNE (JULES)"),
    _corrected("JEAN PERRIN", "SIMONE VEIL"),
    Case(
        name="a_new_college_under_another_name_for_a_day_opened_once",
        concludes="two collèges that opened, or an id that went with its first name",
        states=lambda: [
            past(),
            _with_new_college("COLLEGE EN PROJET"),
            _with_new_college("SIMONE VEIL").at(DAY_AFTER),
        ],
        expect={
            OPEN: [(115,)],
            OPENED_OR_CLOSED: [("SIMONE VEIL", THIS_YEAR, "opened")],
            "select count(*) from marts.dim_college where is_retracted": [(0,)],
            "select count(*) from marts.bridge_college_id_alias where not is_decided": [(1,)],
        },
        passes=["published_college_ids_stay", "college_identity_conflicts"],
    ),
    Case(
        name="a_typing_error_of_the_new_year_corrected_the_next_day",
        concludes="an ERROR that stops every mart until a person writes a seed",
        states=lambda: [
            past(),
            _respelled("ANTOINE COYSEVOX", "ANTOINE COYZEVOX", "2024-11-18"),
            now().at(DAY_AFTER),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select change_type from marts.fct_college_change as c join marts.dim_college as d"
            " using (college_id) where d.college_name like '%COYSEVOX'": [],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    Case(
        name="replaced_a_day_after_it_was_taken_back",
        concludes="GEORGES BRASSENS closed for good",
        states=lambda: [
            past(),
            now(),
            now().without(COLLEGES, of("GEORGES BRASSENS", THIS_YEAR)).at(DAY_AFTER),
            _respelled("GEORGES BRASSENS", "G. BRASSENS", TWO_DAYS_AFTER),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [], ZERO_KM: [(0,)]},
        passes=["published_college_ids_stay"],
    ),
    Case(
        name="both_spellings_for_a_day",
        concludes="two collèges for ever, because the old spelling left a day late",
        states=lambda: [
            past(),
            now(),
            now()
            .adding(
                COLLEGES,
                {
                    **now().one(COLLEGES, of("GEORGES BRASSENS", THIS_YEAR)),
                    "libelle": "G. BRASSENS",
                },
            )
            .at(DAY_AFTER),
            _respelled("GEORGES BRASSENS", "G. BRASSENS", TWO_DAYS_AFTER),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [], ZERO_KM: [(0,)]},
        passes=["published_college_ids_stay"],
    ),
    Case(
        name="a_record_taken_back_without_another_is_not_open",
        concludes="that VALMY is open though the portal took it back",
        states=lambda: [
            past(),
            now(),
            now().without(COLLEGES, of("VALMY", THIS_YEAR)).at(DAY_AFTER),
        ],
        expect={
            OPEN: [(113,)],
            THIS_YEARS_COLLEGES: [(113,)],
        },
        # The record may have been lost: the year before has the collège, so that it is closed.
        warns=["college_records_not_counted"],
    ),
    Case(
        # Before the first school year held nothing is, so that no closing tells of it.
        name="a_record_of_the_first_year_taken_back_is_told_where_it_opens_a_college",
        concludes="that VALMY opened, and nobody wonders",
        states=lambda: [
            now(),
            later().without(COLLEGES, of("VALMY", THIS_YEAR)).at(TWO_DAYS_AFTER),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [("VALMY", NEXT_YEAR, "opened")]},
        warns=["college_records_not_counted"],
    ),
    Case(
        name="a_record_lost_for_a_day_closes_nobody",
        concludes="VALMY closed and opened again",
        states=lambda: [
            past(),
            now(),
            now().without(COLLEGES, of("VALMY", THIS_YEAR)).at(DAY_AFTER),
            now().at(TWO_DAYS_AFTER),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: []},
        passes=["college_records_not_counted", "published_college_ids_stay"],
    ),
    Case(
        name="an_address_corrected_within_the_year_is_no_event",
        concludes="that VALMY moved within a school year",
        states=lambda: [
            past(),
            now(),
            moved(now(), "VALMY", school_year=THIS_YEAR, adresse="199 quai Valmy").at(DAY_AFTER),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select address from marts.fct_college_school_year where college_name = 'VALMY'"
            f" and school_year = '{THIS_YEAR}'": [("199 quai Valmy",)],
        },
    ),
    Case(
        name="two_spellings_corrected_at_once",
        concludes="two collèges closed and two others opened within a school year",
        states=lambda: [
            past(),
            now(),
            _respelled("GEORGES BRASSENS", "G. BRASSENS").edit(
                COLLEGES, of("JEAN PERRIN", THIS_YEAR), {"libelle": "SIMONE VEIL"}
            ),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            ZERO_KM: [(0,)],
            "select count(*) from marts.bridge_college_id_alias where not is_decided": [(2,)],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    Case(
        name="a_name_and_a_place_corrected_together_are_told",
        concludes="that a collège was renamed and moved, though it may be a slip of the portal",
        states=lambda: [past(), now(), _replaced(0.002)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CONFLICTS: [("replaced_within_year", "G. BRASSENS", "GEORGES BRASSENS")],
        },
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="a_person_decides_that_the_correction_was_right",
        concludes="that the warning cannot be answered",
        states=lambda: [past(), now(), _replaced(0.002)],
        seeds={
            "college_identity_decisions": [
                decision("G. BRASSENS", "75119", "GEORGES BRASSENS", THIS_YEAR)
            ]
        },
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [], CONFLICTS: []},
        passes=["college_identity_conflicts", "identity_decisions_conflict"],
    ),
    Case(
        name="a_name_and_a_place_far_away_in_place_of_a_record_are_told",
        concludes="that one collège closed and another opened, and nobody wonders",
        states=lambda: [past(), now(), _replaced(0.005)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [
                ("G. BRASSENS", THIS_YEAR, "opened"),
                ("GEORGES BRASSENS", THIS_YEAR, "closed"),
            ],
        },
        warns=["college_records_not_counted"],
    ),
    Case(
        name="names_in_other_letters_rename_nobody",
        concludes="that 114 collèges were renamed within a school year",
        states=lambda: [
            past(),
            now(),
            now()
            .edit(COLLEGES, EVERY, lambda record: {"libelle": f"{record['libelle'].title()} "})
            .at(DAY_AFTER),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [], RENAMED: [], THIS_YEARS_COLLEGES: [(114,)]},
        passes=[
            "changes_of_many_at_once",
            "college_identity_conflicts",
            "published_college_ids_stay",
        ],
    ),
    Case(
        name="a_sector_given_another_name_is_one_sector",
        concludes="that FRANCOISE DOLTO has two sectors",
        states=lambda: [past(), now(), _renamed_sector("F. D.")],
        expect={
            DOLTO_SECTORS: [("F. D.", False)],
            "select count(*) from marts.bridge_sector_college": [(227,)],
        },
        passes=["sector_colleges_not_found"],
    ),
    Case(
        name="a_sector_lost_for_a_day_is_still_there",
        concludes="that FRANCOISE DOLTO has no sector",
        states=lambda: [past(), now(), now().without(SECTORS, DOLTO).at(DAY_AFTER)],
        expect={DOLTO_SECTORS: [("FRANCOISE DOLTO", True)]},
    ),
    Case(
        name="a_sign_of_html_in_a_name_is_the_same_college",
        concludes="that ROSE BLANCHE closed",
        states=lambda: [past(), now(), _respelled("ROSE BLANCHE", "ROSE&nbsp;BLANCHE")],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: [], THIS_YEARS_COLLEGES: [(114,)]},
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    Case(
        name="a_spelling_corrected_a_year_late_is_one_college",
        concludes="that GEORGES BRASSENS closed and opened again",
        states=lambda: [
            past(),
            now(),
            later(),
            later()
            .edit(COLLEGES, of("GEORGES BRASSENS", THIS_YEAR), {"libelle": "G. BRASSENS"})
            .at("2024-11-21"),
        ],
        expect={OPEN: [(114,)], OPENED_OR_CLOSED: []},
        passes=["published_college_ids_stay"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
