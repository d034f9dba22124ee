"""The two odd states: the four before them unchanged, each oddity there and mended."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingestion.registry import registry
from sandbox.sample import write_sample
from sandbox.sample.oddities import MISTYPED_YEAR, NEW_YEAR, NOT_A_SCHOOL

COLLEGES = "etablissements-scolaires-colleges"
DIRECTORY = "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre"
IVAC = "fr-en-indicateurs-valeur-ajoutee-colleges"
IPS = "fr-en-ips-colleges-ap2023"

Record = dict[str, Any]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sample(tmp_path_factory.mktemp("odd"), scale=2, oddities=True)


def read(state: Path, dataset_id: str) -> list[Record]:
    path = state / registry()[dataset_id].portal.host / dataset_id / "records.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of_year(records: list[Record], year: str) -> dict[str, Record]:
    return {record["libelle"]: record for record in records if record["annee_scol"] == year}


def test_the_states_before_are_as_they_were(states: list[Path], tmp_path: Path) -> None:
    plain = write_sample(tmp_path, scale=2)
    assert [state.name for state in states] == [
        *(state.name for state in plain),
        *("2027-01", "2027-02"),
    ]
    for state in plain:
        for path in state.rglob("*.json*"):
            odd = states[0].parent / path.relative_to(tmp_path)
            assert odd.read_bytes() == path.read_bytes()


def test_keys_are_unique(states: list[Path]) -> None:
    for state in states[-2:]:
        for dataset_id, dataset in registry().items():
            records = read(state, dataset_id)
            assert len({tuple(r[name] for name in dataset.key) for r in records}) == len(records)


def test_a_new_school_year_is_partial_then_whole_and_one_is_mistyped(states: list[Path]) -> None:
    before, january, february = (read(state, COLLEGES) for state in states[-3:])
    years = [Counter(r["annee_scol"] for r in records) for records in (before, january, february)]
    assert years[0] == {"2023-2024": 228, "2024/2025": 228}
    assert years[1] == {"2023/2024": 228, "2024/2025": 230, NEW_YEAR: 6, MISTYPED_YEAR: 2}
    assert years[2] == {"2023-2024": 228, "2024/2025": 226, NEW_YEAR: 228}


def test_within_the_last_year_mistakes_come_and_go(states: list[Path]) -> None:
    before, january, february = (
        of_year(read(state, COLLEGES), "2024/2025") for state in states[-3:]
    )
    misspelt = sorted(name for name in january if name[:-1] in before)
    assert len(misspelt) == 2
    assert {name for name in january.keys() - before.keys() if NOT_A_SCHOOL in name} == {
        NOT_A_SCHOOL,
        f"{NOT_A_SCHOOL} 1",
    }
    contradicting = [
        r for r in january.values() if f"{int(r['arr_insee'][-2:])}ème" not in r["arr_libelle"]
    ]
    contradicting = [
        r for r in contradicting if r["arr_libelle"] != "1er Ardt" or r["arr_insee"][-2:] != "01"
    ]
    assert len(contradicting) == 2
    assert len(before.keys() - february.keys()) == 2
    assert not february.keys() - before.keys()


def test_a_school_gets_another_name_under_its_uai(states: list[Path]) -> None:
    before, after = (of_year(read(states[-1], COLLEGES), year) for year in ("2024/2025", NEW_YEAR))
    (new,) = (name for name in after.keys() - before.keys() if name == "LES QUATRE VENTS")
    (old,) = (
        n for n, r in before.items() if r["adresse"] == after[new]["adresse"] and n not in after
    )
    named = [
        {r["numero_uai"]: r["patronyme_uai"] for r in read(state, DIRECTORY)}
        for state in states[-2:]
    ]
    (uai,) = (uai for uai, name in named[1].items() if name == new)
    assert named[0][uai] == old


def test_sessions_and_numbers_are_written_otherwise(states: list[Path]) -> None:
    sessions = [{r["session"] for r in read(state, IVAC)} for state in states[-2:]]
    assert sessions[0] == {f"{session}-01-01" for session in sessions[1]}
    written = [[r["ips"] for r in read(state, IPS)] for state in states[-2:]]
    assert {type(ips) for ips in written[0]} == {str}
    for odd in (",", "*", " ", ">150", "NS"):
        assert any(odd in ips for ips in written[0])
    assert {type(ips) for ips in written[1]} == {float, type(None)}
