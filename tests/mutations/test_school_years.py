"""A school year is held only when it is whole, and labels are read in known shapes alone."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, synthetic

CASES = distinct(
    Case(
        name="other_ways_of_writing_a_year_change_nothing",
        concludes="all 114 collèges closed and others opened, because a slash became a hyphen",
        states=lambda: [
            synthetic().edit(COLLEGES, {"annee_scol": "2024/2025"}, {"annee_scol": "2024-2025"})
        ],
        expect={
            "select school_year from marts.dim_school_year where is_current": [("2024-2025",)],
            "select count(*) from marts.fct_college_change"
            " where school_year = '2024-2025' and change_type in ('closed', 'opened')": [(0,)],
            "select count(*) from marts.dim_college where is_open": [(114,)],
        },
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
