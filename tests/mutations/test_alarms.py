"""An alarm is raised before a mart changes, and stops nobody who is innocent."""

from __future__ import annotations

from tests.mutations.colleges import OPEN, THIS_YEAR, now, past
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, IVAC, SECTORS, State, recorded, synthetic


def _with_private_schools() -> State:
    """Sixty more records of this school year."""
    public = now().find(COLLEGES, {"annee_scol": THIS_YEAR})[:60]
    added = [
        {**r, "libelle": f"PRIVE {r['libelle']}", "adresse": f"{r['adresse']} BIS"} for r in public
    ]
    return now().adding(COLLEGES, *added).at("2024-11-19")


CASES = distinct(
    Case(
        name="recorded_states_raise_no_alarm",
        concludes="that something is wrong where nothing is",
        states=lambda: [recorded("2021-05"), recorded("2024-11")],
        expect={"select count(*) from marts.fct_college_school_year": [(686,)]},
        passes=[
            "closed_but_open_in_the_directory",
            "published_college_ids_stay",
            "uai_links_known",
            "volume_below_floor",
        ],
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
    Case(
        name="rates_as_fractions_do_not_reach_the_marts",
        concludes="that less than one per cent passed",
        states=lambda: [
            synthetic("2026-10"),
            synthetic("2026-10")
            .edit(
                IVAC,
                lambda record: record["session"] == "2025",
                lambda record: {"taux_de_reussite_g": record["taux_de_reussite_g"] / 100},
            )
            .at("2026-10-13"),
        ],
        keeps={
            "select count(*) from marts.fct_college_result"
            " where session = 2025 and success_rate_pct < 20": [(0,)]
        },
        errors=["results_are_on_their_scale"],
    ),
    Case(
        name="one_wrong_flag_of_a_sector_warns",
        concludes="nothing: the build failed for one flag",
        states=lambda: [
            synthetic("2026-10").edit(
                SECTORS,
                synthetic("2026-10").find(SECTORS, {"zone_commune": "0"})[0],
                {"zone_commune": "1"},
            )
        ],
        warns=["fct_sector_school_year_shared_sectors_name_several"],
    ),
    Case(
        name="one_contradicting_count_warns_and_stops_nobody",
        concludes="nothing: the build stopped for one slip",
        states=lambda: [
            synthetic("2026-10").edit(
                IVAC, {"uai": "0759056L", "session": "2025"}, {"nb_mentions_global_g": 1900}
            )
        ],
        warns=["int_result__exam_sessions_mentions_among_passes"],
    ),
    Case(
        name="sixty_private_schools_do_not_open_in_a_day",
        concludes="that Paris has 174 public collèges",
        states=lambda: [past(), now(), _with_private_schools()],
        keeps={OPEN: [(114,)]},
        errors=["opened_and_closed_are_few"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
