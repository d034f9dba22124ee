"""A school year is held only when it is whole, and labels are read in known shapes alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.mutations.colleges import (
    CURRENT,
    NEXT_YEAR,
    OPEN,
    OPENED_OR_CLOSED,
    THIS_YEAR,
    later,
    now,
    past,
)
from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import (
    COLLEGES,
    DIRECTORY,
    IPS_2022,
    IVAC,
    SECTORS,
    State,
    recorded,
    synthetic,
)

TEN_CLOSED = (
    "select change_type, count(*) from marts.fct_college_change"
    f" where school_year = '{NEXT_YEAR}' group by 1"
)
UNPLACED_SECTORS = (
    "select reason, count(*) from marts.rpt_record_without_college"
    " where reason in ('unknown_label', 'school_year_not_whole') group by 1"
)
NOT_COUNTED = (
    "select reason, count(*) from marts.rpt_college_record_not_counted group by 1 order by 1"
)


def _next_year_of(count: int) -> State:
    names = sorted(str(r["libelle"]) for r in now().records[COLLEGES])[:count]
    return now().next_school_year(NEXT_YEAR, THIS_YEAR, lambda r: r["libelle"] in names)


def _early(dataset: str, **changes: str) -> State:
    """The next day: three records more, copies of the first public ones of the latest year."""
    found = [r for r in now().records[dataset] if r["secteur"] in ("PU", "public")]
    latest = max(str(r[name]) for r in found for name in changes)
    copies = [r for r in found if latest in (str(r[name]) for name in changes)][:3]
    return now().adding(dataset, *({**r, **changes} for r in copies)).at("2024-11-20")


def _session_typed(session: str) -> State:
    """One result of the latest session, typed under another."""
    first = next(
        r for r in now().records[IVAC] if r["secteur"] == "PU" and str(r["session"]) == "2023"
    )
    match = {"uai": first["uai"], "session": first["session"]}
    return now().edit(IVAC, match, {"session": session}).at("2024-11-20")


def _no_session_yet(name: str, state: Callable[[], State], *warns: str) -> Case:
    return Case(
        name=name,
        concludes="that three collèges, or one, are what Paris reached in a year",
        states=lambda: [past(), now(), state()],
        expect={
            "select school_year from marts.agg_school_year where result_college_count > 0"
            " or ips_college_count > 0 order by 1": [("2021-2022",), ("2022-2023",)],
            "select distinct school_year from marts.fct_college_result order by 1": [
                ("2021-2022",),
                ("2022-2023",),
            ],
            "select min(school_year), max(school_year) from marts.dim_school_year": [
                ("2017-2018", THIS_YEAR)
            ],
        },
        warns=warns,
        passes=["public_results_are_placed_or_reported"],
    )


def _mistyped(label: str, reason: str) -> Case:
    """VALMY's school year written otherwise: nobody closes, whatever the label is."""
    return Case(
        name="mistyped_" + "".join(c if c.isalnum() else "_" for c in label),
        concludes="VALMY closed, or all others did",
        states=lambda: [
            past(),
            now().edit(COLLEGES, {"libelle": "VALMY"}, {"annee_scol": label}),
        ],
        expect={
            OPEN: [(114,)],
            CURRENT: [(THIS_YEAR,)],
            OPENED_OR_CLOSED: [],
            NOT_COUNTED: [(reason, 1)],
            "select count(*) from marts.dim_school_year where school_year > '2025'": [(0,)],
        },
        warns=["college_records_not_counted"],
    )


def _with_private(number: int) -> State:
    """So many schools more, as if the city listed its private ones too."""
    model = now().records[COLLEGES][0]
    more = [
        {**model, "libelle": f"PRIVE {n}", "id_projet": 900_000 + n, "annee_scol": THIS_YEAR}
        for n in range(number)
    ]
    return now().adding(COLLEGES, *more).at("2024-11-19")


def _sectors_of_next_year(number: int, label: str) -> State:
    """The first sectors of the latest year once more, under another school year."""
    of_this_year = [r for r in now().records[SECTORS] if r["annee_scol"] == THIS_YEAR]
    copies = [{**record, "annee_scol": label} for record in of_this_year[:number]]
    return now().adding(SECTORS, *copies).at("2024-11-19")


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
    Case(
        name="three_early_records_of_the_next_year_close_nobody",
        concludes="111 of 114 collèges closed",
        states=lambda: [past(), _next_year_of(3)],
        expect={
            OPEN: [(114,)],
            CURRENT: [(THIS_YEAR,)],
            OPENED_OR_CLOSED: [],
            NOT_COUNTED: [("partial_school_year", 3)],
            "select is_partial, is_held from marts.dim_school_year"
            f" where school_year = '{NEXT_YEAR}'": [(True, False)],
            "select count(*) from marts.fct_college_school_year where is_partial_school_year": [
                (3,)
            ],
            f"select count(*) from marts.fct_college_distance where school_year = '{NEXT_YEAR}'": [
                (0,)
            ],
        },
        warns=["college_records_not_counted"],
    ),
    Case(
        name="a_partial_year_has_no_count_of_colleges",
        concludes="3 collèges in Paris, and none in 17 arrondissements",
        states=lambda: [past(), _next_year_of(3)],
        expect={
            "select college_count, pair_count from marts.agg_school_year"
            f" where school_year = '{NEXT_YEAR}'": [(None, 0)],
            "select distinct college_count, mean_nearest_km"
            " from marts.agg_arrondissement_school_year"
            f" where school_year = '{NEXT_YEAR}'": [(None, None)],
            "select last_school_year from marts.rpt_source_coverage"
            f" where dataset = '{COLLEGES}'": [(THIS_YEAR,)],
        },
    ),
    Case(
        name="a_year_of_a_hundred_is_not_whole",
        concludes="14 collèges closed",
        states=lambda: [past(), _next_year_of(100)],
        expect={OPEN: [(114,)], CURRENT: [(THIS_YEAR,)], OPENED_OR_CLOSED: []},
        warns=["college_records_not_counted"],
    ),
    Case(
        name="a_year_of_110_is_whole",
        concludes="that the portal never closes a collège",
        states=lambda: [past(), _next_year_of(110)],
        expect={
            OPEN: [(110,)],
            CURRENT: [(NEXT_YEAR,)],
            "select change_type, count(*) from marts.fct_college_change"
            f" where school_year = '{NEXT_YEAR}' group by 1": [("closed", 4)],
        },
        passes=["college_records_not_counted"],
    ),
    Case(
        name="ten_records_missing_in_the_new_year_are_told",
        concludes="that ten collèges closed, and nobody wonders",
        states=lambda: [past(), _next_year_of(104)],
        expect={TEN_CLOSED: [("closed", 10)]},
        warns=["closed_but_open_in_the_directory"],
    ),
    Case(
        name="ten_colleges_that_the_directory_closed_are_closed",
        concludes="that a person should look at what both portals say",
        states=lambda: [
            past(),
            _next_year_of(104).edit(DIRECTORY, lambda record: True, {"etat_etablissement": "3"}),
        ],
        expect={TEN_CLOSED: [("closed", 10)]},
        passes=["closed_but_open_in_the_directory"],
    ),
    Case(
        name="a_partial_year_counts_once_it_is_whole",
        concludes="that collèges opened which were published later",
        states=lambda: [past(), _next_year_of(3), later()],
        expect={OPEN: [(114,)], CURRENT: [(NEXT_YEAR,)], OPENED_OR_CLOSED: []},
        passes=["college_records_not_counted"],
    ),
    Case(
        name="a_partial_year_taken_back_is_gone",
        concludes="that a school year was published which was not",
        states=lambda: [past(), _next_year_of(3), now().at("2024-11-20")],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            NOT_COUNTED: [("retracted", 3)],
            f"select count(*) from marts.dim_school_year where school_year = '{NEXT_YEAR}'": [(0,)],
        },
        passes=["college_records_not_counted"],
    ),
    Case(
        name="the_order_of_loading_does_not_matter",
        concludes="another history, because the older extraction was read later",
        states=lambda: [_next_year_of(3), past().at("2024-11-20")],
        expect={OPEN: [(114,)], CURRENT: [(THIS_YEAR,)], OPENED_OR_CLOSED: []},
    ),
    Case(
        name="a_mistyped_sector_makes_no_school_year",
        concludes="thirty school years without a collège",
        states=lambda: [
            past(),
            now().edit(
                SECTORS,
                lambda r: r["libelle"] == now().records[SECTORS][0]["libelle"],
                {"annee_scol": "2052-2053"},
            ),
        ],
        expect={"select max(school_year) from marts.dim_school_year": [(THIS_YEAR,)]},
    ),
    Case(
        name="sixty_more_for_a_day_change_nothing",
        concludes="that the year lost a third of its collèges, or that sixty closed",
        states=lambda: [past(), now(), _with_private(60), now().at("2024-11-20")],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select count(*) from marts.fct_college_school_year"
            f" where school_year = '{THIS_YEAR}'": [(114,)],
        },
        builds_each=False,
    ),
    Case(
        name="three_early_sectors_are_no_outlines",
        concludes="that no address of Paris has an outline any more",
        states=lambda: [past(), now(), _sectors_of_next_year(3, NEXT_YEAR)],
        expect={
            "select max(school_year) from marts.fct_sector_school_year": [(THIS_YEAR,)],
            UNPLACED_SECTORS: [("school_year_not_whole", 3)],
        },
        warns=["sector_colleges_not_found"],
    ),
    Case(
        name="sectors_under_a_label_that_cannot_be_read_are_listed",
        concludes="that the city published no sectors of the new year",
        states=lambda: [past(), now(), _sectors_of_next_year(110, f"{NEXT_YEAR} (provisoire)")],
        expect={
            "select max(school_year) from marts.fct_sector_school_year": [(THIS_YEAR,)],
            UNPLACED_SECTORS: [("unknown_label", 110)],
        },
        warns=["sector_colleges_not_found"],
    ),
    _no_session_yet(
        "three_early_results_are_no_session",
        lambda: _early(IVAC, session="2024"),
        "public_results_without_college",
    ),
    _no_session_yet(
        "three_early_positions_are_no_rentree",
        lambda: _early(IPS_2022, rentree_scolaire="2023-2024"),
        "public_results_without_college",
    ),
    _no_session_yet(
        "a_session_mistyped_as_2013_adds_no_school_years",
        lambda: _session_typed("2013"),
        "public_results_without_college",
    ),
    _no_session_yet(
        "a_session_mistyped_as_2203_stops_nobody",
        lambda: _session_typed("2203"),
        "values_left_out",
    ),
    Case(
        name="an_erased_past_stays_held",
        concludes="that 114 collèges opened in 2023-2024",
        states=lambda: [past(), now()],
        expect={
            OPENED_OR_CLOSED: [],
            "select count(*) from marts.dim_school_year where is_held": [(6,)],
            "select count(*) from marts.rpt_college_record_not_counted": [(0,)],
        },
        passes=["college_records_not_counted", "college_identity_conflicts"],
    ),
    Case(
        name="a_year_typed_wrong_the_next_day_closes_nobody",
        concludes="VALMY closed",
        states=lambda: [
            past(),
            now(),
            now()
            .edit(COLLEGES, {"libelle": "VALMY"}, {"annee_scol": "2032-2033"})
            .at("2024-11-19"),
        ],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select count(*) from marts.fct_college_school_year"
            f" where school_year = '{THIS_YEAR}'": [(114,)],
        },
        warns=["college_records_not_counted"],
    ),
    Case(
        name="sectors_of_years_without_collèges_of_their_own_load".replace("è", "e"),
        concludes="that a portal of sectors alone cannot be read",
        states=lambda: [recorded("2021-01"), past(), recorded("2022-02"), recorded("2024-11")],
        expect={
            OPEN: [(114,)],
            OPENED_OR_CLOSED: [],
            "select school_year, count(*) > 100 from marts.fct_sector_school_year"
            " group by 1 order by 1": [
                ("2017-2018", True),
                ("2020-2021", True),
                ("2021-2022", True),
                ("2023-2024", True),
            ],
        },
    ),
    _mistyped("2052-2053", "implausible_school_year"),
    _mistyped("2003-2004", "implausible_school_year"),
    _mistyped("2022-2023", "partial_school_year"),
    _mistyped("2024-2025", "partial_school_year"),
    _mistyped("2020-2031", "unknown_label"),
    _mistyped("2023-2024 (maj 2027)", "unknown_label"),
    _mistyped("23-24", "unknown_label"),
    _mistyped("2023", "unknown_label"),
    Case(
        name="this_and_the_next_year_under_one_label",
        concludes="that 114 collèges closed, or that their year was taken back",
        states=lambda: [
            past(),
            now(),
            now()
            .edit(COLLEGES, {"annee_scol": THIS_YEAR}, {"annee_scol": "2023/2024 - 2024/2025"})
            .at("2025-11-19"),
        ],
        expect={
            OPEN: [(114,)],
            CURRENT: [(NEXT_YEAR,)],
            OPENED_OR_CLOSED: [],
            "select school_year, count(*) from marts.fct_college_school_year"
            f" where school_year >= '{THIS_YEAR}' group by 1 order by 1": [
                (THIS_YEAR, 114),
                (NEXT_YEAR, 114),
            ],
        },
        passes=["college_records_not_counted", "published_college_ids_stay"],
    ),
    Case(
        name="the_newest_state_first",
        concludes="another history, because the newest was read first",
        states=lambda: [later(), now().at("2024-11-20"), past().at("2024-11-21")],
        expect={
            OPENED_OR_CLOSED: [],
            "select count(*), count(uai) from marts.dim_college": [(115, 114)],
            "select count(*) from marts.bridge_college_id_alias": [(2,)],
        },
        passes=["published_college_ids_stay"],
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)


@pytest.mark.parametrize("label", ["2023/24", "2023–2024", "20232024", "Rentrée 2023"])
def test_known_shapes(label: str, project: Project) -> None:
    Case(
        name="known_shape",
        concludes="114 closures, because the year is written in another way",
        states=lambda: [
            past(),
            now().edit(COLLEGES, {"annee_scol": THIS_YEAR}, {"annee_scol": label}),
        ],
        expect={OPEN: [(114,)], CURRENT: [(THIS_YEAR,)], OPENED_OR_CLOSED: []},
    ).check(project)
