"""What casting reads, and what it loses."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import IPS_2023, IVAC, STREET_RANGES, State, synthetic

UAI = "0759056L"


def _result(**fields: Any) -> State:
    return synthetic("2026-10").edit(IVAC, {"uai": UAI, "session": "2025"}, fields)


def _position(ips: str) -> State:
    match = {"uai": UAI, "rentree_scolaire": "2025-2026"}
    return synthetic("2026-10").edit(IPS_2023, match, {"ips": ips})


def _sides(even: str, odd: str) -> State:
    sides = {"P": even, "I": odd}
    return synthetic("2026-10").edit(
        STREET_RANGES, lambda r: r["parite"] in sides, lambda r: {"parite": sides[r["parite"]]}
    )


def _reads(column: str, expected: Any) -> dict[str, list[tuple[Any, ...]]]:
    return {
        f"select {column} from marts.fct_college_result where uai = '{UAI}' and session = 2025": [
            (expected,)
        ]
    }


def _case(name: str, column: str, field: str, written: Any, read: Any) -> Case:
    """A value that can be read, and raises nothing."""
    return Case(
        name=name,
        concludes="that the ministry published nothing",
        states=lambda: [_result(**{field: written})],
        expect=_reads(column, read),
        passes=["values_left_out"],
    )


def _lost(name: str, column: str, field: str, written: Any) -> Case:
    """A value that cannot, and is counted."""
    return Case(
        name=name,
        concludes="that the ministry published nothing, and nothing went wrong",
        states=lambda: [_result(**{field: written})],
        expect=_reads(column, None) | {"select count(*) from marts.rpt_value_left_out": [(1,)]},
        warns=["values_left_out"],
    )


def _slipped(name: str, field: str, *written: Any) -> Case:
    """A number that can be, and is unlike the session before: read as it is, and told.

    `written`: what the sessions say, 2025 and those before it.
    """

    def state() -> State:
        state = synthetic("2026-10")
        for session, value in zip(count(2025, -1), written, strict=False):
            state = state.edit(IVAC, {"uai": UAI, "session": str(session)}, {field: value})
        return state

    return Case(
        name=name,
        concludes="that a collège fell apart in a year, and nobody need look",
        states=lambda: [state()],
        warns=["results_unlike_the_session_before"],
        passes=["values_left_out"],
    )


CASES = distinct(
    _slipped("a_rate_whose_point_slipped_is_told", "taux_de_reussite_g", 8.5),
    _slipped("a_mark_whose_point_slipped_is_told", "note_a_l_ecrit_g", 1.1),
    _slipped("ten_times_the_candidates_are_told", "nb_candidats_g", 960),
    _slipped(
        "a_point_that_slipped_after_a_session_without_a_rate_is_told",
        "taux_de_reussite_g",
        *(8.5, None),
    ),
    Case(
        name="an_index_unlike_the_one_before_is_told",
        concludes="that the pupils of a collège are other pupils",
        states=lambda: [_position("50.1")],
        warns=["results_unlike_the_session_before"],
    ),
    _case("a_space_between_thousands", "candidates", "nb_candidats_g", "1 234", 1234),
    _case("a_no_break_space", "candidates", "nb_candidats_g", "1\u202f234", 1234),
    _case("a_per_cent_sign", "success_rate_pct", "taux_de_reussite_g", "86 %", 86.0),
    _case("a_footnote", "success_rate_pct", "taux_de_reussite_g", "86*", 86.0),
    _case(
        "a_typographic_minus",
        "success_rate_value_added_points",
        "va_du_taux_de_reussite_g",
        "\u22128",
        -8.0,
    ),
    _case("a_mark_out_of_twenty", "written_mark", "note_a_l_ecrit_g", "11,3/20", 11.3),
    _case("a_word_for_no_value", "success_rate_pct", "taux_de_reussite_g", "N.S.", None),
    _lost("a_bound_is_no_number", "success_rate_pct", "taux_de_reussite_g", ">85"),
    _lost("a_word_is_no_number", "candidates", "nb_candidats_g", "environ 90"),
    _lost("half_a_candidate", "candidates", "nb_candidats_g", 90.5),
    _lost("candidates_below_zero_are_left_out", "candidates", "nb_candidats_g", -90),
    _lost("a_rate_of_860_is_left_out", "success_rate_pct", "taux_de_reussite_g", 860),
    Case(
        name="an_index_with_a_footnote",
        concludes="that the ministry withheld the index",
        states=lambda: [_position("118.4*")],
        expect={
            "select ips from marts.fct_college_social_position"
            f" where uai = '{UAI}' and school_year = '2025-2026'": [(118.4,)]
        },
        passes=["values_left_out"],
    ),
    Case(
        name="a_side_of_the_street_in_words_is_read",
        concludes="that half the addresses of Paris have no collège",
        states=lambda: [_sides("Pair", "Impair")],
        expect={
            "select distinct parity from marts.fct_street_range_college order by 1": [
                ("even",),
                ("odd",),
                (None,),  # of what has no street
            ]
        },
        passes=["values_left_out"],
    ),
    Case(
        name="a_side_of_the_street_that_cannot_be_read_is_counted",
        concludes="that half the addresses of Paris have no collège, and nothing went wrong",
        states=lambda: [_sides("gauche", "I")],
        warns=["values_left_out"],
    ),
    Case(
        name="an_index_above_150_is_counted",
        concludes="that the ministry withheld the index",
        states=lambda: [_position(">150")],
        warns=["values_left_out"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
