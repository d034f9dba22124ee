"""The recorded real states give exactly the facts, however often and in whichever order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.end_to_end.conftest import Home

COLLEGES = "etablissements-scolaires-colleges"
RAW_COLLEGES = "raw.opendata_paris__etablissements_scolaires_colleges"

pytestmark = pytest.mark.timeout(3000)


def _facts(home: Home) -> SimpleNamespace:
    """What the tests ask of one moment, read before the next load changes it."""
    ((colleges, open_colleges, linked),) = home.query(
        "select count(*), count_if(is_open), count(uai) from marts.dim_college"
    )
    return SimpleNamespace(
        colleges=colleges,
        open_colleges=open_colleges,
        linked=linked,
        ids={row[0] for row in home.query("select college_id from marts.dim_college")},
        uais=dict(
            home.query("select college_name, uai from marts.dim_college where uai is not null")
        ),
        unlinked=home.query("select college_name from marts.dim_college where uai is null"),
        school_years=home.query(
            "select college_id, school_year, college_name from marts.fct_college_school_year"
            " order by all"
        ),
        withdrawn=home.query(
            "select school_year, count(*) from marts.fct_college_school_year"
            " where is_withdrawn group by 1 order by 1"
        ),
        changes=home.query(
            "select d.college_name, c.school_year, c.change_type, c.from_value, c.to_value,"
            " c.moved_m from marts.fct_college_change as c"
            " join marts.dim_college as d using (college_id)"
            " where change_type <> 'respelled' order by all"
        ),
        edits=dict(
            home.query(
                "select edit_type, count(*) from marts.fct_portal_edit"
                f" where dataset = '{COLLEGES}' group by 1"
            )
        ),
        staged=home.query(
            "select count(*), count_if(is_withdrawn) from staging.stg_opendata_paris__colleges"
        )[0],
        raw_versions=home.query(f"select count(*) from {RAW_COLLEGES}")[0][0],
        status=home.status(),
    )


@pytest.fixture(scope="module")
def forward(make_home: Callable[[str], Home], recorded: Path) -> SimpleNamespace:
    """2021-05, the same again, the same in other digits, 2024-11, 2021-05: a build per load.

    By dbt, with its tests, where most is new."""
    home = make_home("forward")
    moments = SimpleNamespace(home=home)
    home.succeed("run", "--portal", recorded / "2021-05", "--no-build")
    home.marts()
    moments.first = _facts(home)
    home.succeed("run", "--portal", recorded / "2021-05", "--force", "--no-build")
    moments.again = home.status()
    moments.versions_again = home.query(f"select count(*) from {RAW_COLLEGES}")[0][0]
    reencoded = _reencoded(recorded / "2021-05", home.path / "reencoded")
    home.succeed("run", "--portal", reencoded, "--no-build")
    home.marts()
    moments.reencoded = _facts(home)
    home.succeed("run", "--portal", recorded / "2024-11")
    moments.second = _facts(home)
    home.succeed("run", "--portal", recorded / "2021-05", "--no-build")
    home.marts()
    moments.restored = _facts(home)
    return moments


@pytest.fixture(scope="module")
def backward(make_home: Callable[[str], Home], recorded: Path) -> SimpleNamespace:
    """2024-11, then 2021-05, built at each."""
    home = make_home("backward")
    home.succeed("run", "--portal", recorded / "2024-11", "--no-build")
    home.marts()
    first = _facts(home)
    home.succeed("run", "--portal", recorded / "2021-05", "--no-build")
    home.marts()
    return SimpleNamespace(home=home, first=first, second=_facts(home))


def _reencoded(state: Path, out: Path) -> Path:
    """The same facts in other bytes: digits, key order, whole numbers as floats."""
    shutil.copytree(state, out)
    for records in out.rglob("records.jsonl"):
        lines = records.read_text(encoding="utf-8").splitlines()
        records.write_text(
            "".join(
                json.dumps(_in_other_digits(json.loads(line), 12 + n % 3)) + "\n"
                for n, line in enumerate(lines)
            ),
            encoding="utf-8",
        )
        metadata = records.with_name("dataset.json")
        dataset = json.loads(metadata.read_text(encoding="utf-8"))
        dataset["metas"]["default"]["data_processed"] = "2021-06-01T00:00:00+00:00"
        metadata.write_text(json.dumps(dataset), encoding="utf-8")
    return out


def _in_other_digits(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _in_other_digits(value[key], digits) for key in reversed(value)}
    if isinstance(value, list):
        return [_in_other_digits(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{ {12: 12, 13: 15, 14: 17}[digits] }g}")
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def test_the_rules_of_the_models(forward: SimpleNamespace) -> None:
    """dbt's unit tests; `colleges run` leaves them out, because data cannot break them."""
    results = forward.home.unit_tests()
    assert len(results) > 60
    assert {result["status"] for result in results} == {"pass"}


def test_first_state(forward: SimpleNamespace) -> None:
    first = forward.first
    assert (first.colleges, first.open_colleges) == (115, 114)
    assert len(first.school_years) == 572
    assert len({school_year for _, school_year, _ in first.school_years}) == 5
    assert first.status[COLLEGES]["rows_present"] == 457
    assert first.staged == (457, 0)
    assert first.raw_versions == 457


def test_links_to_the_ministry(forward: SimpleNamespace) -> None:
    first = forward.first
    assert first.linked == 114
    assert first.unlinked == [("EUGENE DELACROIX",)]
    assert first.uais["CHARLES PEGUY"] == "0751706X"
    assert first.uais["FRANCOISE SELIGMAN"] == "0755778Y"
    assert first.uais["ROSE BLANCHE"] == "0755779Z"
    assert len(set(first.uais.values())) == 114


def test_the_same_state_again_writes_no_version(forward: SimpleNamespace) -> None:
    assert forward.again[COLLEGES]["versions"] == 457
    assert forward.versions_again == 457
    last = forward.again[COLLEGES]["last_load"]
    assert (last["status"], last["rows_received"], last["rows_unchanged"]) == ("finished", 457, 457)


def test_other_digits_are_no_edit(forward: SimpleNamespace) -> None:
    assert forward.reencoded.raw_versions > 457, "the bytes did change"
    assert forward.reencoded.edits == {}
    assert forward.reencoded.changes == forward.first.changes
    assert forward.reencoded.school_years == forward.first.school_years


def test_second_state(forward: SimpleNamespace) -> None:
    second = forward.second
    assert len(second.school_years) == 686
    assert second.ids == forward.first.ids
    assert sum(count for _, count in second.withdrawn) == 572
    assert second.staged == (571, 457)
    assert second.status[COLLEGES]["rows_present"] == 114
    assert second.edits == {"withdrawn": 457}


def test_changes_between_school_years(forward: SimpleNamespace) -> None:
    def shape(changes: list[tuple[Any, ...]]) -> list[tuple[str, str, str, int | None]]:
        return [
            (name, year, kind, None if moved is None else round(moved))
            for name, year, kind, _, _, moved in changes
        ]

    first = [
        ("EUGENE DELACROIX", "2019-2020", "closed", None),
        ("FRANCOISE SELIGMAN", "2020-2021", "renamed", None),
        ("ROSE BLANCHE", "2019-2020", "relocated", 245),
        ("ROSE BLANCHE", "2019-2020", "renamed", None),
    ]
    assert shape(forward.first.changes) == first
    moved_back = ("ROSE BLANCHE", "2023-2024", "point_moved", 245)
    assert sorted(shape(forward.second.changes)) == sorted([*first, moved_back])


def test_an_older_state_again_restores_it(forward: SimpleNamespace) -> None:
    restored = forward.restored
    assert restored.ids == forward.second.ids
    assert restored.school_years == forward.second.school_years
    assert restored.withdrawn == [("2023-2024", 114)]
    assert restored.status[COLLEGES]["rows_present"] == 457
    assert restored.edits == {"withdrawn": 457 + 114, "restored": 457}


def test_the_order_of_loading_does_not_matter(
    forward: SimpleNamespace, backward: SimpleNamespace
) -> None:
    assert backward.first.ids < backward.second.ids
    assert backward.second.school_years == forward.second.school_years
    assert backward.second.uais == forward.second.uais
    assert backward.second.changes == forward.second.changes
    assert backward.second.withdrawn == [("2023-2024", 114)]


def test_distances(forward: SimpleNamespace) -> None:
    ((pairs, farthest),) = forward.home.query(
        "select count(*), max(distance_km) from marts.fct_college_distance"
        " where school_year = '2021-2022'"
    )
    assert pairs == 6441
    assert round(farthest, 1) == 11.8


def test_counts_agree_at_each_hop(forward: SimpleNamespace) -> None:
    """Present at the portal = in MongoDB = in raw = in staging, for every dataset."""
    status = forward.home.status()
    staging = {
        COLLEGES: "opendata_paris__colleges",
        "secteurs-scolaires-colleges": "opendata_paris__sectors",
        "arrondissements": "opendata_paris__arrondissements",
        "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": (
            "education_nationale__establishments"
        ),
        "fr-en-indicateurs-valeur-ajoutee-colleges": "education_nationale__ivac",
        "fr-en-ips-colleges-ap2022": "education_nationale__ips_ap2022",
    }
    for dataset, model in staging.items():
        ((staged,),) = forward.home.query(
            f"select count(*) from staging.stg_{model} where not is_withdrawn"
        )
        ((in_raw,),) = forward.home.query(
            "select count(*) from (select max_by(is_withdrawn, run_sequence) as is_gone"
            f" from raw.{status[dataset]['table']} group by record_key) where not is_gone"
        )
        last = status[dataset]["last_pull"]
        assert status[dataset]["rows_present"] == in_raw == staged == last["rows_received"], dataset
