"""What a `where` clause selects; its errors are tested over HTTP in test_replay_portal.py."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.registry import registry
from sandbox.odsql import parse_where

RECORDS: list[dict[str, Any]] = [
    dict(zip(("code", "nature", "name", "opened_on", "is_open"), values, strict=True))
    for values in (
        ("075", 340, "A", "2023-09-01", True),
        ("075", 350, "L'ÉCOLE", "2024", False),
        ("92", 340, None, "2024-06-30T10:30:00+00:00", None),
        ("075", None, 'say "hi"', None, 1),
        ("93", 370, "E", "unknown", "true"),
    )
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('code = "075"', [0, 1, 3]),
        ("code = '075'", [0, 1, 3]),
        ('code != "075"', [2, 4]),
        ("nature in (340, 350, 352)", [0, 1, 2]),
        ('code = "075" and nature in (340, 350, 352)', [0, 1]),
        ('code="92" or code="93"', [2, 4]),
        ('code = "92" or code = "075" and nature = 350', [1, 2]),
        ('(code = "92" or code = "075") and nature = 350', [1]),
        ("not nature in (340)", [1, 3, 4]),
        ("name is null", [2]),
        ("name IS NOT NULL AND NOT nature = 340", [1, 3, 4]),
        ('name = "L\'ÉCOLE"', [1]),
        (r'name = "say \"hi\""', [3]),
        ("`nature` = 340.0", [0, 2]),
        ('nature = "340"', []),
        ("nature > 340", [1, 4]),
        ("nature >= 350 and nature < 370", [1]),
        ("nature <= 340.0", [0, 2]),
        ("code > '08'", [2, 4]),
        ("code > 80", []),
        ('code like "9%"', [2, 4]),
        ('code like "7"', [0, 1, 3]),
        ('name like "É*"', []),
        ('name LIKE "l\'école"', [1]),
        ("startswith(code, '9')", [2, 4]),
        ("startswith(code, 93)", [4]),
        ("not startswith(name, 'L')", [0, 2, 3, 4]),
        ('search(name, "ÉCO")', [1]),
        ('code in ["92", "93"]', [2, 4]),
        ("opened_on >= date'2024-01-01'", [1, 2]),
        ("opened_on = date'2024'", [1]),
        ("opened_on < date'2024-06-30T12:30:00+02:00'", [0, 1]),
        ("is_open = true", [0]),
        ("is_open is not true", [1, 2, 3, 4]),
        ("is_open = 1", [3]),
    ],
)
def test_where_selects(where: str, expected: list[int]) -> None:
    predicate = parse_where(where, RECORDS[0])
    assert [number for number, record in enumerate(RECORDS) if predicate(record)] == expected


def test_every_filter_of_the_registry_is_implemented() -> None:
    for dataset in registry().values():
        if dataset.where:
            assert callable(parse_where(dataset.where, dataset.fields))
