"""Another spelling of a record's key: a new record on the portal, and nothing new for a reader."""

from __future__ import annotations

from tests.mutations.compiled import Project
from tests.mutations.harness import Case, distinct
from tests.mutations.states import COLLEGES, IVAC, SECTORS, STREET_RANGES, Record, State, synthetic

EDITS = "select edit_type, count(*) from marts.fct_portal_edit group by 1 order by 1"


def _start() -> State:
    return synthetic("2026-10")


def _slashes() -> State:
    state = _start()
    for dataset in (COLLEGES, SECTORS):
        state = state.edit(
            dataset,
            lambda record: True,
            lambda record: {"annee_scol": str(record["annee_scol"]).replace("-", "/")},
        )
    return state.at("2026-10-13")


def _college_before_sectors() -> State:
    def change(record: Record) -> dict[str, object]:
        names = {"libelle", *(f"lib_etab_{slot}" for slot in range(1, 5))}
        return {name: f"COLLEGE {record[name]}" for name in names if record.get(name)}

    return _start().edit(SECTORS, lambda record: True, change).at("2026-10-13")


def _two_on_one_side() -> State:
    """The even numbers of a street led to two collèges, as happens among 12,000 real ranges."""
    match = {"type_et_libelle": "RUE BLANCHE FERVELOT", "n_de_voie_fin": 24}
    return _start().edit(STREET_RANGES, match, {"n_de_voie_fin": 9999})


def _dates() -> State:
    return (
        _start()
        .edit(IVAC, lambda record: True, lambda record: {"session": f"{record['session']}-07-01"})
        .at("2026-10-13")
    )


CASES = distinct(
    Case(
        name="years_written_with_a_slash_are_no_withdrawal",
        concludes="that the portal withdrew every record",
        states=lambda: [_start(), _slashes()],
        expect={EDITS: []},
    ),
    Case(
        name="street_ranges_with_a_postal_code_more_are_no_sector_change",
        concludes="that hundreds of streets were given to another collège",
        states=lambda: [
            _two_on_one_side(),
            _two_on_one_side()
            .edit(STREET_RANGES, lambda record: True, {"code_postal": "75000"})
            .at("2026-10-13"),
        ],
        expect={
            "select coalesce(sum(street_ranges), 0) from marts.fct_sector_change": [(0,)],
        },
    ),
    Case(
        name="college_before_every_sector_is_no_withdrawal",
        concludes="that every collège has two sectors, and lost one",
        states=lambda: [_start(), _college_before_sectors()],
        expect={
            "select edit_type, count(*) from marts.fct_portal_edit"
            " where edit_type <> 'edited' group by 1": [],
            "select school_year, count(*) - count(distinct boundary_geojson)"
            " from marts.fct_sector_school_year where not is_shared group by 1"
            " having count(*) > count(distinct boundary_geojson)": [],
        },
    ),
    Case(
        name="sessions_written_as_dates_build",
        concludes="nothing: the build stopped",
        states=lambda: [_start(), _dates()],
        expect={
            EDITS: [],
            "select session, count(*) from marts.fct_college_result group by 1 order by 1": [
                (2022, 113),
                (2023, 113),
                (2024, 113),
                (2025, 113),
            ],
        },
    ),
    Case(
        name="another_spelling_and_back_is_nothing",
        concludes="that records were withdrawn and restored",
        states=lambda: [_start(), _dates(), _start().at("2026-10-14")],
        expect={EDITS: []},
    ),
    Case(
        name="a_value_edited_together_with_the_key_is_seen",
        concludes="that the ministry changed nothing",
        states=lambda: [
            _start(),
            _dates().edit(
                IVAC,
                {"uai": "0759056L", "session": "2025-07-01"},
                {"taux_de_reussite_g": 12.0},
            ),
        ],
        expect={
            "select field, new_value, school_year, college_id is not null"
            " from marts.fct_portal_edit": [("taux_de_reussite_g", "12", "2024-2025", True)]
        },
    ),
    Case(
        name="one_session_in_two_spellings_is_one_result",
        concludes="that a collège sat the exam twice",
        states=lambda: [
            _start().adding(
                IVAC,
                {
                    **_start().one(IVAC, {"uai": "0759056L", "session": "2025"}),
                    "session": "2025-07-01",
                },
            )
        ],
        expect={
            "select count(*) from marts.fct_college_result"
            " where uai = '0759056L' and session = 2025": [(1,)]
        },
    ),
    Case(
        name="a_withdrawn_record_is_still_withdrawn",
        concludes="that nothing was withdrawn",
        states=lambda: [
            _start(),
            _start().without(IVAC, {"uai": "0759056L", "session": "2025"}).at("2026-10-13"),
        ],
        expect={EDITS: [("withdrawn", 1)]},
    ),
)


def test_case(case: Case, project: Project) -> None:
    case.check(project)
