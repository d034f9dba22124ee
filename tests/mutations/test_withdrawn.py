"""What the portal took back, and what it put back."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, synthetic

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
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
