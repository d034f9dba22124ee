"""Reading an address, the ends of a range, geometry, and the command itself."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest
from click.testing import CliRunner

from ingestion.cli import main
from ingestion.settings import PROJECT_DIR
from tests.end_to_end.conftest import Home
from which.address import Address, is_in_range, read_address, street_key
from which.answer import Map, find
from which.geometry import Outline


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 rue Clovis, 75005", Address(12, None, "RUE CLOVIS", 5)),
        ("12 bis rue Clovis 75005 Paris", Address(12, "BIS", "RUE CLOVIS", 5)),
        ("12B, rue Clovis - Paris 5e", Address(12, "B", "RUE CLOVIS", 5)),
        ("rue Clovis 5ème", Address(None, None, "RUE CLOVIS", 5)),
        ("12 R. CLOVIS 75105", Address(12, None, "R CLOVIS", 5)),
        ("1 rue de Passy 75116", Address(1, None, "RUE DE PASSY", 16)),
        ("105 bis RUE DE L'OURCQ (ECOLE B), 75119", Address(105, "BIS", "RUE DE L OURCQ", None)),
        ("3-5 rue de l’Hôpital-St-Louis", Address(3, None, "RUE DE L HOPITAL ST LOUIS", None)),
        ("rue du 8 Mai 1945", Address(None, None, "RUE DU 8 MAI 1945", None)),
        ("8 place de Paris, France", Address(8, None, "PLACE DE PARIS", None)),
        ("", Address(None, None, None, None)),
    ],
)
def test_reading(text: str, expected: Address) -> None:
    assert read_address(text) == expected


def test_one_spelling_for_a_street() -> None:
    """The pairs that the SQL macro is tested by."""
    examples = (PROJECT_DIR / "tests/data/macros/macro_normalise_street.sql").read_text("utf-8")
    pairs = [
        line.strip().rstrip(",")
        for line in examples.splitlines()
        if line.strip().startswith("('") and "null" not in line
    ]
    assert len(pairs) >= 9
    for line in pairs:
        one, other, is_same = line[1:-1].rsplit(", ", 2)
        keys = [street_key(text.strip("'").replace("''", "'")) for text in (one, other)]
        assert (keys[0] == keys[1]) == (is_same == "true"), line


RANGE = {"number_from": 3, "repetition_from": "A", "number_to": 21, "repetition_to": None}


@pytest.mark.parametrize(
    ("number", "repetition", "changed", "is_in"),
    [
        (3, None, {}, False),
        (3, "BIS", {}, True),
        (5, None, {}, True),
        (4, None, {}, False),
        (4, None, {"parity": "both"}, True),
        (21, "TER", {}, True),
        (21, "TER", {"repetition_to": "B"}, True),
        (21, "QUATER", {"repetition_to": "B"}, False),
        (23, None, {}, False),
        (9001, None, {"number_to": 9999}, True),
        (None, None, {}, False),
    ],
)
def test_ends_of_a_range(
    number: int | None, repetition: str | None, changed: dict[str, Any], is_in: bool
) -> None:
    found = {"parity": "odd", **RANGE, **changed}
    assert is_in_range(Address(number, repetition, "RUE X", None), found) is is_in


def test_a_courtyard_is_outside() -> None:
    square = [[0.0, 0.0], [0.004, 0.0], [0.004, 0.004], [0.0, 0.004], [0.0, 0.0]]
    yard = [[0.001, 0.001], [0.003, 0.001], [0.003, 0.003], [0.001, 0.003], [0.001, 0.001]]
    outline = Outline.of_geojson(json.dumps({"type": "Polygon", "coordinates": [square, yard]}))
    assert outline.contains(0.0005, 0.0005)
    assert not outline.contains(0.002, 0.002)
    assert outline.distance_m(0.002, 0.002, 250) == pytest.approx(111.2, abs=0.1)
    assert outline.distance_m(0.002, 0.002, 100) is None
    assert outline.distance_m(0.005, 0.002, 250) == pytest.approx(111.2, abs=0.1)


# -- on the recorded states ------------------------------------------------------------------------


def test_the_history_of_a_block_that_changed(held: Map) -> None:
    """A point in a block that went to another collège: since when, and whose it was."""
    answer = find(held, None, (2.3929, 48.8446))
    assert answer.since is not None
    names = [[c["college_name"] for c in step["colleges"]] for step in answer.history]
    years = [step["school_year"] for step in answer.history]
    assert years == ["2020-2021", "2021-2022", "2023-2024"]
    since = answer.since["school_year"]
    assert all(n == names[-1] for n in names[years.index(since) :])


def test_a_year_that_is_not_held(held: Map) -> None:
    answer = find(held, read_address("12 rue Clovis, 75005"), None, "2022-2023")
    assert (answer.status, answer.colleges) == ("year_not_held", [])
    assert "2021-2022" in answer.notes[0]


def test_a_number_outside_every_range(held: Map) -> None:
    row = next(
        row
        for row in held.ranges
        if row["number_from"] > 2
        and row["street_key"] is not None
        and not any(
            is_in_range(Address(row["number_from"] - 2, None, None, None), other)
            for other in held.streets[row["street_key"]]
            if other["insee_code"] == row["insee_code"]
        )
    )
    text = f"{row['number_from'] - 2} {row['street_name']}, {row['insee_code']}"
    answer = find(held, read_address(text))
    assert answer.status == "number_outside_ranges"
    assert "outside every range" in answer.notes[0]
    assert not answer.colleges
    assert answer.alternatives


def test_the_command(
    built: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In words and as JSON; it opens no socket and logs nothing of the address."""
    monkeypatch.setenv("COLLEGES_HOME", str(built.path))
    monkeypatch.setenv("COLLEGES_TARGET", "duckdb")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the command opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    caplog.set_level(logging.DEBUG)
    asked = CliRunner().invoke(main, ["which", "12 rue Clovis, 75005"])
    assert asked.exit_code == 0, asked.output
    assert "Collège: HENRI IV (0752526N)" in asked.output
    assert "RUE CLOVIS 2 to the end, even numbers" in asked.output
    assert "the rectorat decides" in asked.output
    as_json = CliRunner().invoke(
        main, ["which", "12 rue Clovis, 75005", "--point", "2.3490,48.8465", "--json"]
    )
    answer = json.loads(as_json.output)
    assert answer["colleges"][0]["uai"] == "0752526N"
    assert answer["rule"] == "range"
    assert [step["school_year"] for step in answer["history"]][-1] == "2023-2024"
    unread = CliRunner().invoke(main, ["which", "12 rue Clovi, 75005"])
    assert unread.exit_code == 1
    assert "Perhaps: RUE CLOVIS, 75005" in unread.output
    assert "lovi" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Say an address"),
        (["--point", "48.8"], "--point takes degrees"),
        (["x", "--year", "2023"], "must be a school year like 2023-2024"),
    ],
)
def test_what_it_cannot_use(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(main, ["which", *arguments])
    assert result.exit_code != 0
    assert told in result.output
