"""Which collège a result belongs to: the UAI, checked against what the record calls the school."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, Marts, distinct
from tests.mutations.states import DIRECTORY, IPS_2022, IPS_2023, IVAC, synthetic

A = "MATHILDE LANTALAUD"
A_UAI = "0759056L"
B = "YVONNE FALDIERVAL"
B_UAI = "0759090Y"
NEW_UAI = "0759999Z"

SESSIONS = (
    "select session from marts.fct_college_result join marts.dim_college using (college_id)"
    " where college_name = '{}' order by 1"
)
NAMES_OF = (
    "select distinct college_name from marts.fct_college_result"
    " join marts.dim_college using (college_id) where fct_college_result.uai = '{}' order by 1"
)
REASONS = (
    "select distinct reason from marts.rpt_record_without_college where uai = '{}'"
    " and dataset <> 'secteurs-scolaires-colleges' order by 1"
)
ALL = [(2022,), (2023,), (2024,), (2025,)]


def _named(name):  # type: ignore[no-untyped-def]
    return {
        "appellation_officielle": f"Collège {name.title()}",
        "patronyme_uai": name,
    }


def _start():  # type: ignore[no-untyped-def]
    return synthetic("2026-10")


def _moved():  # type: ignore[no-untyped-def]
    """The entry of A's UAI becomes B's, whose own entry is gone."""
    entry = dict(_start().one(DIRECTORY, {"numero_uai": B_UAI}))
    return (
        _start()
        .without(DIRECTORY, {"numero_uai": B_UAI})
        .edit(DIRECTORY, {"numero_uai": A_UAI}, {**entry, "numero_uai": A_UAI})
        .at("2026-10-13")
    )


def _renumbered(directory: bool = True):  # type: ignore[no-untyped-def]
    """A has another UAI from session 2025 on."""
    state = _start().edit(IVAC, {"uai": A_UAI, "session": "2025"}, {"uai": NEW_UAI})
    return (
        state.edit(DIRECTORY, {"numero_uai": A_UAI}, {"numero_uai": NEW_UAI})
        if directory
        else state
    )


def _directory_without_a_fifth():  # type: ignore[no-untyped-def]
    return (
        _start()
        .without(DIRECTORY, lambda record: str(record["numero_uai"])[-2] < "2")
        .at("2026-10-13")
    )


DECISION = {
    "college_name": A,
    "insee_code": "75114",
    "uai": A_UAI,
    "first_school_year": None,
    "last_school_year": "2023-2024",
    "decided_by": "test",
    "decided_on": "2026-10-14",
    "evidence": "test",
}

CASES = distinct(
    Case(
        name="a_uai_that_moved_to_another_entry_takes_no_result_along",
        concludes=f"that {B} had the results of {A}",
        states=lambda: [_start(), _moved()],
        expect={SESSIONS.format(A): ALL, NAMES_OF.format(A_UAI): [(A,)]},
    ),
    Case(
        name="a_renumbered_uai_keeps_its_earlier_sessions",
        concludes=f"that {A} had no results before 2025",
        states=lambda: [_renumbered()],
        expect={SESSIONS.format(A): ALL, NAMES_OF.format(NEW_UAI): [(A,)]},
    ),
    Case(
        name="a_uai_the_directory_does_not_know_yet_is_found_by_its_name",
        concludes=f"that {A} has no result for 2025",
        states=lambda: [_renumbered(directory=False)],
        expect={SESSIONS.format(A): ALL},
    ),
    Case(
        name="a_result_under_an_unknown_name_hangs_on_nobody_and_warns",
        concludes=f"that a result of some other school is {A}'s",
        states=lambda: [
            _start().edit(
                IVAC,
                {"uai": A_UAI, "session": "2024"},
                {"nom_de_l_etablissement": "COLLEGE ZEPHYRIN QUOLBEC"},
            )
        ],
        expect={
            SESSIONS.format(A): [(2022,), (2023,), (2025,)],
            REASONS.format(A_UAI): [("named_otherwise",)],
        },
    ),
    Case(
        name="a_result_under_the_name_of_another_school_hangs_on_neither",
        concludes=f"that {B} has two results in a session",
        states=lambda: [
            _start().edit(
                IVAC,
                {"uai": A_UAI, "session": "2024"},
                {"nom_de_l_etablissement": f"COLLEGE {B}", "commune": "PARIS 19"},
            )
        ],
        expect={
            SESSIONS.format(A): [(2022,), (2023,), (2025,)],
            SESSIONS.format(B): ALL,
            REASONS.format(A_UAI): [("another_uai_holds",)],
        },
    ),
    Case(
        name="an_abbreviated_name_still_agrees",
        concludes=f"that {A} lost its results",
        states=lambda: [
            _start().edit(IVAC, {"uai": A_UAI}, {"nom_de_l_etablissement": "COLLEGE M. LANTALAUD"})
        ],
        expect={SESSIONS.format(A): ALL},
    ),
    Case(
        name="a_misspelt_name_still_agrees",
        concludes=f"that {A} lost its results",
        states=lambda: [
            _start().edit(
                IVAC, {"uai": A_UAI}, {"nom_de_l_etablissement": "COLLEGE MATILDE LANTALAUD"}
            )
        ],
        expect={SESSIONS.format(A): ALL},
    ),
    Case(
        name="records_without_a_name_hang_by_their_uai",
        concludes="that no collège has results, because a field was renamed",
        states=lambda: [_start().edit(IVAC, lambda record: True, {"nom_de_l_etablissement": None})],
        expect={"select count(*) from marts.fct_college_result where session = 2025": [(113,)]},
    ),
    Case(
        name="the_ips_too_is_checked_against_its_name",
        concludes=f"that an index of some other school is {A}'s",
        states=lambda: [
            _start().edit(
                IPS_2023,
                {"uai": A_UAI, "rentree_scolaire": "2024-2025"},
                {"nom_de_l_etablissement": "COLLEGE ZEPHYRIN QUOLBEC"},
            )
        ],
        expect={
            "select school_year from marts.fct_college_social_position"
            f" where uai = '{A_UAI}' order by 1": [
                ("2022-2023",),
                ("2023-2024",),
                ("2025-2026",),
            ]
        },
    ),
    Case(
        name="two_series_that_spell_a_name_differently_are_one_uai",
        concludes=f"that {A} is ambiguous",
        states=lambda: [
            _start().edit(IPS_2022, {"uai": A_UAI}, {"nom_de_l_etablissment": f"CLG {A}"})
        ],
        expect={
            f"select count(*) from marts.fct_college_social_position where uai = '{A_UAI}'": [(4,)]
        },
    ),
    Case(
        name="a_record_that_says_private_under_a_public_uai_is_listed",
        concludes="that a result vanished without a trace",
        states=lambda: [_start().edit(IVAC, {"uai": A_UAI, "session": "2024"}, {"secteur": "PR"})],
        expect={
            SESSIONS.format(A): [(2022,), (2023,), (2025,)],
            REASONS.format(A_UAI): [("says_private",)],
        },
    ),
    Case(
        name="a_private_namesake_takes_no_result",
        concludes=f"that a private school's results are {A}'s",
        states=lambda: [
            # A's own result of that session would go before it.
            _start().edit(
                IVAC,
                {"uai": A_UAI, "session": "2024"},
                {"uai": NEW_UAI, "secteur": "PR", "taux_de_reussite_g": 12.0},
            )
        ],
        expect={
            SESSIONS.format(A): [(2022,), (2023,), (2025,)],
            NAMES_OF.format(NEW_UAI): [],
        },
    ),
    Case(
        name="a_decision_for_past_school_years_gives_a_second_uai",
        concludes="that the seed cannot say what a person knows",
        states=lambda: [
            _renumbered().edit(
                IVAC, {"uai": A_UAI}, {"nom_de_l_etablissement": "COLLEGE RUE DES PAVOTS"}
            )
        ],
        seeds={"uai_decisions": [DECISION]},
        expect={SESSIONS.format(A): ALL},
        passes=["uai_decisions_conflict", "uai_decisions_no_longer_apply"],
    ),
    Case(
        name="decisions_about_one_school_year_conflict",
        concludes="that two UAI of one year are both right",
        states=lambda: [_start()],
        seeds={"uai_decisions": [DECISION, {**DECISION, "uai": B_UAI}]},
        errors=["uai_decisions_conflict"],
    ),
    Case(
        name="a_decision_nothing_carries_out_is_named",
        concludes="that a decision holds which links nothing",
        states=lambda: [_start()],
        seeds={"uai_decisions": [{**DECISION, "uai": NEW_UAI}]},
        errors=["uai_decisions_no_longer_apply"],
    ),
    Case(
        name="uai_in_small_letters_are_the_same",
        concludes="that no collège has results",
        states=lambda: [
            _start(),
            _start()
            .edit(IVAC, dict[str, str](), lambda record: {"uai": f"{record['uai'].lower()} "})
            .at("2026-10-13"),
        ],
        expect={
            SESSIONS.format(A): ALL,
            "select session, count(*) from marts.fct_college_result group by 1 order by 1": [
                (session, 113) for (session,) in ALL
            ],
            "select count(*) from marts.fct_college_result where uai <> upper(uai)": [(0,)],
        },
    ),
    Case(
        name="an_entry_with_its_uai_in_small_letters_is_the_same",
        concludes=f"that {A} has another UAI, and its results and streets are nobody's",
        states=lambda: [
            _start(),
            _start()
            .edit(DIRECTORY, {"numero_uai": A_UAI}, {"numero_uai": A_UAI.lower()})
            .at("2026-10-13"),
        ],
        expect={
            f"select uai, is_open from marts.dim_college where college_name = '{A}'": [
                (A_UAI, True)
            ],
            SESSIONS.format(A): ALL,
            NAMES_OF.format(A_UAI): [(A,)],
            "select count(*), count(uai) from marts.dim_college": [(114, 114)],
            f"select count(*) from marts.rpt_uai_link_review where uai = '{A_UAI.lower()}'": [(0,)],
        },
        passes=["unique_int_establishment__directory_uai"],
    ),
    Case(
        # Fewer entries than its floor, and the pull would have withdrawn none.
        name="a_fifth_of_the_directory_gone_takes_no_link_away",
        concludes="that a fifth of the collèges have no results",
        states=lambda: [_start(), _directory_without_a_fifth()],
        expect={
            "select count(uai) from marts.dim_college where is_open": [(114,)],
            "select count(*) from marts.fct_college_result where session = 2025": [(113,)],
        },
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)


def test_each_result_without_a_college_is_warned_of(project: Project) -> None:
    """The ministry knows schools the city does not list, so the count grows from more than zero."""
    renamed = {"nom_de_l_etablissement": "COLLEGE ZEPHYRIN QUOLBEC"}
    marts = Marts(project)
    counts = []
    for state in (
        _start(),
        _start().edit(IVAC, {"uai": A_UAI, "session": "2024"}, renamed).at("2026-10-13"),
    ):
        marts.load(state)
        marts.build()
        result = marts.test("public_results_without_college")
        assert result.outcome == ("warn" if result.failures else "pass")
        counts.append(result.failures)
    assert counts[1] == counts[0] + 1
