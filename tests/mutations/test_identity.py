"""A school is more than its name; where the evidence conflicts, a person is told and decides."""

from __future__ import annotations

from tests.mutations.colleges import (
    CHANGES,
    CONFLICTS,
    NEXT_YEAR,
    OPEN,
    OPENED_OR_CLOSED,
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

ELSEWHERE = "1 RUE DE NULLE PART"


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


def _elsewhere() -> State:
    """VALMY, 10th, under its name at JEAN PERRIN's end of the town, the 20th."""
    there = now().one(COLLEGES, {"libelle": "JEAN PERRIN"})
    return later().edit(
        COLLEGES,
        of("VALMY"),
        {
            **{name: there[name] for name in ("arr_insee", "arr_libelle", "geo_shape")},
            "geo_point_2d": there["geo_point_2d"],
            "adresse": ELSEWHERE,
        },
    )


def _decision(name: str, insee_code: str, canonical: str, **also: str) -> dict[str, str]:
    return {
        "college_name": name,
        "insee_code": insee_code,
        "canonical_name": canonical,
        "spelled_in_school_year": NEXT_YEAR,
        "decided_by": "data steward",
        "decided_on": "2026-11-28",
        "evidence": "a test",
        **also,
    }


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
                _decision("VALMY NORD", "75110", "VALMY"),
                _decision("VALMY SUD", "75110", "VALMY SUD"),
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
        states=lambda: [past(), now(), _elsewhere()],
        expect={CONFLICTS: [("same_name_elsewhere", "VALMY", "VALMY")]},
        warns=["college_identity_conflicts"],
    ),
    Case(
        name="a_person_decides_that_it_went_to_another_arrondissement",
        concludes="that a collège can only move where a rule sees it",
        states=lambda: [past(), now(), _elsewhere()],
        seeds={
            "college_identity_decisions": [
                _decision("VALMY", "75120", "VALMY", canonical_insee_code="75110")
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
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
