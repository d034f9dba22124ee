"""An alarm is raised before a mart changes, and stops nobody who is innocent."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, recorded, synthetic

CASES = distinct(
    Case(
        name="recorded_states_raise_no_alarm",
        concludes="that something is wrong where nothing is",
        states=lambda: [recorded("2021-05"), recorded("2024-11")],
        expect={"select count(*) from marts.fct_college_school_year": [(686,)]},
        passes=["published_college_ids_stay", "uai_links_known", "volume_below_floor"],
    ),
    Case(
        name="a_half_empty_portal_withdraws_nothing_and_says_so",
        concludes="half of the collèges closed",
        states=lambda: [
            synthetic("2026-10"),
            synthetic("2026-10")
            .without(COLLEGES, lambda record: str(record["libelle"])[0] > "C")
            .at("2026-10-13"),
        ],
        expect={"select count(*) from marts.dim_college where is_open": [(114,)]},
        warns=["volume_below_floor"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
