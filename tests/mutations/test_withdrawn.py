"""What the portal took back, and what it put back."""

from __future__ import annotations

from tests.mutations.colleges import OPEN, OPENED_OR_CLOSED, now, past
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, IPS_2023, IVAC, Match, State, synthetic


def _without_colleges() -> State:
    state = now().at("2024-11-19")
    return state.only(*(name for name in state.records if name != COLLEGES))


def _gone(dataset: str, match: Match) -> list[State]:
    """All there was, and a week later the same without some."""
    start = synthetic("2026-10")
    return [start, start.without(dataset, match).at("2026-10-13")]


CASES = distinct(
    Case(
        name="a_year_that_was_away_for_a_day_changes_nothing",
        concludes="collèges closed and opened within a day",
        states=lambda: [
            synthetic("2025-11"),
            synthetic("2025-11").without(COLLEGES, {"annee_scol": "2021-2022"}).at("2025-11-18"),
            synthetic("2025-11").at("2025-11-19"),
        ],
        expect={
            "select count(*) from marts.fct_college_change"
            " where change_type in ('closed', 'opened')": [(0,)],
            "select edit_type, count(*) from marts.fct_portal_edit"
            f" where dataset = '{COLLEGES}' group by 1 order by 1": [
                ("restored", 114),
                ("withdrawn", 114),
            ],
            "select count(*) from marts.dim_college where is_open": [(114,)],
        },
        passes=["published_college_ids_stay"],
    ),
    Case(
        name="a_result_taken_back_leaves_the_aggregates",
        concludes="that a result still counts which the ministry took back",
        states=lambda: _gone(IVAC, {"uai": "0759056L", "session": "2025"}),
        expect={
            "select is_retracted from marts.fct_college_result"
            " where uai = '0759056L' and session = 2025": [(True,)],
            "select result_college_count from marts.agg_school_year"
            " where school_year = '2024-2025'": [(112,)],
        },
    ),
    Case(
        name="a_session_that_went_whole_still_counts",
        concludes="that nobody sat the exam in 2022",
        states=lambda: _gone(IVAC, {"session": "2022"}),
        expect={
            "select result_college_count from marts.agg_school_year"
            " where school_year = '2021-2022'": [(113,)]
        },
    ),
    Case(
        name="one_result_left_of_an_erased_session_is_not_the_session",
        concludes="that one collège sat the exam in 2022, and 112 results were taken back",
        states=lambda: _gone(IVAC, lambda r: r["session"] == "2022" and r["uai"] != "0759056L"),
        expect={
            "select result_college_count from marts.agg_school_year"
            " where school_year = '2021-2022'": [(113,)]
        },
    ),
    Case(
        name="one_index_left_of_an_erased_rentree_is_not_the_rentree",
        concludes="that the index of one collège is the city's",
        states=lambda: _gone(
            IPS_2023, lambda r: r["rentree_scolaire"] == "2025-2026" and r["uai"] != "0759056L"
        ),
        expect={
            "select count(*) from marts.fct_college_social_position where is_retracted": [(0,)]
        },
    ),
    Case(
        name="an_index_taken_back_leaves_the_mean",
        concludes="that an index still counts which the ministry took back",
        states=lambda: _gone(IPS_2023, {"uai": "0759056L", "rentree_scolaire": "2025-2026"}),
        expect={
            "select is_retracted from marts.fct_college_social_position"
            " where uai = '0759056L' and school_year = '2025-2026'": [(True,)]
        },
    ),
    Case(
        name="a_dataset_the_portal_no_longer_has_withdraws_nothing",
        concludes="that all collèges closed",
        states=lambda: [past(), now(), _without_colleges()],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            f"select count(*) from marts.fct_portal_edit where dataset = '{COLLEGES}'"
            " and run_sequence > 2": [(0,)],
        },
        passes=["published_college_ids_stay"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
