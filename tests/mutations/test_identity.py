"""A school is more than its name; where the evidence conflicts, a person is told and decides."""

from __future__ import annotations

from collections.abc import Callable

from tests.mutations.colleges import (
    CHANGES,
    CONFLICTS,
    ELSEWHERE,
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
    renamed,
)
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, DIRECTORY, State


def _one_college(name: str, other: str, change_type: str = "renamed") -> Case:
    words = "_".join("".join(c if c.isalnum() else " " for c in other.lower()).split())
    return Case(
        name=f"known_as_{words}",
        concludes=f"{name} closed, {other} opened without UAI and results",
        states=lambda: [past(), now(), renamed(name, other)],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CHANGES: [(change_type, None)],
            "select count(*), count(uai) from marts.dim_college": [(115, 114)],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    )


def _every_name(
    what: str, change: Callable[[str], str], respelled: int, warns: bool = False
) -> Case:
    return Case(
        name=f"{what}_every_name_renames_nobody",
        concludes="114 closed, 114 opened; or 114 renamed",
        states=lambda: [
            past(),
            now(),
            later().edit(
                COLLEGES,
                {"annee_scol": NEXT_YEAR},
                lambda record: {"libelle": change(record["libelle"])},
            ),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select change_type, count(*) from marts.fct_college_change"
            f" where school_year = '{NEXT_YEAR}' group by 1": [("respelled", respelled)],
            "select count(*), count(uai) from marts.dim_college": [(115, 114)],
        },
        warns=["changes_of_many_at_once"] if warns else [],
        passes=[
            "college_identity_conflicts",
            "published_college_ids_stay",
            *([] if warns else ["changes_of_many_at_once"]),
        ],
    )


def _also_moved(name: str, other: str) -> Case:
    """130 m away under another address, so that the name alone speaks."""
    words = "_".join("".join(c if c.isalnum() else " " for c in other.lower()).split())
    return Case(
        name=f"known_and_moved_as_{words}",
        concludes=f"{name} closed and {other} opened round the corner",
        states=lambda: [
            past(),
            now(),
            moved(renamed(name, other), other, north=0.0012, adresse=ELSEWHERE),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CHANGES: [("relocated", 133.0), ("renamed", None)],
        },
        passes=["college_identity_conflicts"],
    )


def _directory_renames(state: State, name: str, other: str) -> State:
    return state.edit(
        DIRECTORY,
        lambda r: r["patronyme_uai"] == name and r["secteur_public_prive_libe"] == "Public",
        {"patronyme_uai": other, "appellation_officielle": f"Collège {other.title()}"},
    )


def _swapped() -> State:
    """JEAN PERRIN and VALMY have each other's names."""
    return (
        later()
        .edit(COLLEGES, of("VALMY"), {"libelle": "-"})
        .edit(COLLEGES, of("JEAN PERRIN"), {"libelle": "VALMY"})
        .edit(COLLEGES, of("-"), {"libelle": "JEAN PERRIN"})
    )


def _split() -> State:
    state = renamed("VALMY", "VALMY NORD")
    north = state.one(COLLEGES, of("VALMY NORD"))
    return state.adding(COLLEGES, {**north, "libelle": "VALMY SUD"})


def _merged() -> State:
    return renamed("VALMY", "VALMY - JEAN PERRIN").without(COLLEGES, of("JEAN PERRIN"))


def _typed_wrong() -> State:
    """NOUVEAU COLLEG opens in this school year."""
    mozart = now().one(COLLEGES, of("MOZART", THIS_YEAR))
    state = now().adding(
        COLLEGES, {**mozart, "libelle": "NOUVEAU COLLEG", "adresse": "9 RUE NEUVE"}
    )
    return moved(state, "NOUVEAU COLLEG", north=0.003, school_year=THIS_YEAR)


def _in_the_place_of_valmy() -> State:
    """VALMY closes, and JEAN PERRIN has its building."""
    valmy = later().one(COLLEGES, of("VALMY"))
    place = ("adresse", "geo_shape", "geo_point_2d", "arr_insee", "arr_libelle")
    return (
        later()
        .without(COLLEGES, of("VALMY"))
        .edit(COLLEGES, of("JEAN PERRIN"), {field: valmy[field] for field in place})
    )


def _one_of_each() -> State:
    """VALMY closes, TOUT NEUF opens, JEAN PERRIN has another name."""
    state = renamed("JEAN PERRIN", "SIMONE VEIL").without(COLLEGES, of("VALMY"))
    mozart = state.one(COLLEGES, of("MOZART"))
    added = {**mozart, "libelle": "TOUT NEUF", "adresse": "1 RUE NEUVE"}
    return moved(state.adding(COLLEGES, added), "TOUT NEUF", north=0.004)


CASES = distinct(
    _one_college("JEAN PERRIN", "SIMONE VEIL"),
    _one_college("GEORGES BRASSENS", "G. BRASSENS"),
    _one_college("JEAN-BAPTISTE POQUELIN", "J.B. POQUELIN"),
    _one_college("LUCIE ET RAYMOND AUBRAC", "LUCIE AUBRAC"),
    _one_college("PAUL BERT", "P BERT"),
    _one_college("MARIE CURIE", "CURIE MARIE"),
    _one_college("JULES VERNE", "VERNE (JULES)"),
    _one_college("ST EXUPERY", "SAINT EXUPERY", "respelled"),
    _one_college("HENRI IV", "HENRI 4", "respelled"),
    _one_college("VALMY", "COLLEGE VALMY", "respelled"),
    _also_moved("GEORGES BRASSENS", "G. BRASSENS"),
    _also_moved("JEAN-BAPTISTE POQUELIN", "J.B. POQUELIN"),
    _also_moved("LUCIE ET RAYMOND AUBRAC", "LUCIE AUBRAC"),
    _also_moved("PAUL BERT", "P BERT"),
    _also_moved("MARIE CURIE", "CURIE MARIE"),
    Case(
        name="renamed_and_moved_under_one_uai",
        concludes="JEAN PERRIN closed, SIMONE VEIL opened without results",
        states=lambda: [
            past(),
            now(),
            _directory_renames(
                moved(
                    renamed("JEAN PERRIN", "SIMONE VEIL"),
                    "SIMONE VEIL",
                    north=0.003,
                    adresse=ELSEWHERE,
                ),
                "JEAN PERRIN",
                "SIMONE VEIL",
            ),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CHANGES: [("relocated", 334.0), ("renamed", None)],
            "select display_name, count(*) > 0 from marts.dim_college"
            " join marts.fct_college_result using (college_id)"
            " where college_name = 'SIMONE VEIL' group by 1": [("Collège Simone Veil", True)],
        },
        passes=["published_college_ids_stay"],
    ),
    Case(
        name="another_school_far_away_is_another_school",
        concludes="that JEAN PERRIN became a school it has nothing to do with",
        states=lambda: [
            past(),
            now(),
            moved(
                renamed("JEAN PERRIN", "SIMONE VEIL"),
                "SIMONE VEIL",
                north=0.003,
                adresse=ELSEWHERE,
            ),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [
                ("JEAN PERRIN", NEXT_YEAR, "closed"),
                ("SIMONE VEIL", NEXT_YEAR, "opened"),
            ],
        },
    ),
    Case(
        name="swapped_names_are_told",
        concludes="two moves across Paris, or nothing at all",
        states=lambda: [past(), now(), _swapped()],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            CONFLICTS: [
                ("name_of_another", "JEAN PERRIN", "VALMY"),
                ("name_of_another", "VALMY", "JEAN PERRIN"),
            ],
        },
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="a_split_is_told",
        concludes="that one half, by the alphabet, is VALMY",
        states=lambda: [past(), now(), _split()],
        expect={
            "select change_type, count(*) from marts.fct_college_change"
            f" where school_year = '{NEXT_YEAR}' group by 1 order by 1": [
                ("closed", 1),
                ("opened", 2),
            ],
            "select conflict_type, count(*) from marts.rpt_college_identity_conflict"
            " where conflict_type = 'contested' group by 1": [("contested", 2)],
        },
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="a_person_decides_a_split",
        concludes="that a decision changes nothing",
        states=lambda: [past(), now(), _split()],
        seeds={
            "college_identity_decisions": [
                decision("VALMY NORD", "75110", "VALMY"),
                decision("VALMY SUD", "75110", "VALMY SUD"),
            ]
        },
        expect={
            OPENED_OR_CLOSED: [("VALMY SUD", NEXT_YEAR, "opened")],
            "select count(*) from marts.rpt_college_identity_conflict": [(0,)],
        },
        passes=["college_identity_conflicts", "identity_decisions_conflict"],
    ),
    Case(
        name="a_merger_under_a_joint_name_is_told",
        concludes="that JEAN PERRIN simply closed",
        states=lambda: [past(), now(), _merged()],
        expect={CONFLICTS: [("joint_name", "VALMY - JEAN PERRIN", "JEAN PERRIN")]},
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="one_name_in_another_arrondissement_is_told",
        concludes="one school closed and another opened, and nobody wonders",
        states=lambda: [past(), now(), elsewhere()],
        expect={CONFLICTS: [("same_name_elsewhere", "VALMY", "VALMY")]},
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="a_person_decides_that_it_went_to_another_arrondissement",
        concludes="that a collège can only move where a rule sees it",
        states=lambda: [past(), now(), elsewhere()],
        seeds={
            "college_identity_decisions": [
                decision("VALMY", "75120", "VALMY", canonical_insee_code="75110")
            ]
        },
        expect={
            OPENED_OR_CLOSED: [],
            f"select change_type from marts.fct_college_change where school_year = '{NEXT_YEAR}'": [
                ("relocated",)
            ],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    _every_name("college_before", lambda name: f"COLLEGE {name}", 114),
    _every_name("clg_before", lambda name: f"CLG {name}", 114),
    _every_name("college_in_brackets_behind", lambda name: f"{name} (Collège)", 114),
    # 99 have more than one word
    _every_name("the_words_turned_round_in", lambda name: " ".join(name.split()[::-1]), 99, True),
    Case(
        name="a_new_college_typed_wrong_for_a_year_opened_once",
        concludes="one collège that closed after a year, and a second that opened",
        states=lambda: [
            past(),
            _typed_wrong(),
            _typed_wrong()
            .next_school_year(NEXT_YEAR, THIS_YEAR)
            .edit(COLLEGES, of("NOUVEAU COLLEG"), {"libelle": "NOUVEAU COLLEGE"})
            .at("2025-11-19"),
        ],
        expect={
            OPEN: [(115,)],
            OPENED_OR_CLOSED: [("NOUVEAU COLLEGE", THIS_YEAR, "opened")],
            CHANGES: [("renamed", None)],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    Case(
        name="a_neighbour_in_a_closed_schools_building_is_told",
        concludes="that one took the other's name, or its building, and nobody need look",
        states=lambda: [past(), now(), _in_the_place_of_valmy()],
        expect={
            OPEN: [(113,)],
            CONFLICTS: [("name_of_another", "JEAN PERRIN", "JEAN PERRIN")],
        },
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="renamed_and_back_is_one_college",
        concludes="that JEAN PERRIN closed and opened again",
        states=lambda: [
            past(),
            now(),
            renamed("JEAN PERRIN", "SIMONE VEIL"),
            renamed("JEAN PERRIN", "SIMONE VEIL")
            .next_school_year("2025-2026", NEXT_YEAR)
            .edit(COLLEGES, of("SIMONE VEIL", "2025-2026"), {"libelle": "JEAN PERRIN"})
            .at("2025-11-20"),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select school_year, from_value, to_value from marts.fct_college_change"
            f" where school_year >= '{NEXT_YEAR}' order by all": [
                (NEXT_YEAR, "JEAN PERRIN", "SIMONE VEIL"),
                ("2025-2026", "SIMONE VEIL", "JEAN PERRIN"),
            ],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
    Case(
        name="one_closed_one_opened_one_renamed",
        concludes="that changes of one school year hide each other",
        states=lambda: [past(), now(), _one_of_each()],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [
                ("TOUT NEUF", NEXT_YEAR, "opened"),
                ("VALMY", NEXT_YEAR, "closed"),
            ],
            CHANGES: [("closed", None), ("opened", None), ("renamed", None)],
        },
        passes=["college_identity_conflicts", "published_college_ids_stay"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
