"""The export: what it packs, what it refuses, and the messages it gives."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dashboard import export
from ingestion.errors import BuildError
from ingestion.registry import registry
from ingestion.settings import PROJECT_DIR

IDS = ["c000000000001", "c000000000002", "c000000000003", "c000000000004"]


def unpack(packed: list[dict[str, Any]], count: int) -> dict[str, dict[tuple[int, int], int]]:
    """Distances as the page unpacks them: school year → pair of positions → metres."""
    pairs = [(low, high) for low in range(count) for high in range(low + 1, count)]
    years = {}
    metres: list[int | None] = []
    for entry in packed:
        metres = list(entry.get("metres", metres))
        for position, value in entry.get("changed", []):
            metres[position] = value
        known = zip(pairs, metres, strict=True)
        years[entry["school_year"]] = {pair: value for pair, value in known if value is not None}
    return years


@given(
    st.dictionaries(
        st.sampled_from(["2017-2018", "2018-2019", "2019-2020"]),
        st.dictionaries(
            st.sampled_from([(a, b) for a in range(4) for b in range(a + 1, 4)]),
            st.integers(0, 12_000),
            min_size=1,
        ),
        min_size=1,
    )
)
def test_packed_distances_unpack_to_the_same(years: dict[str, dict[tuple[int, int], int]]) -> None:
    rows = [
        # whichever end comes first in the mart
        (year, *((IDS[a], IDS[b]) if metres % 2 else (IDS[b], IDS[a])), metres / 1000)
        for year in sorted(years)
        for (a, b), metres in years[year].items()
    ]
    assert unpack(export._distances(rows, IDS), len(IDS)) == years


def test_years_with_equal_points_cost_nothing() -> None:
    rows = [(year, IDS[0], IDS[1], 1.234) for year in ("2017-2018", "2018-2019")]
    assert export._distances(rows, IDS[:2]) == [
        {"school_year": "2017-2018", "metres": [1234]},
        {"school_year": "2018-2019", "changed": []},
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "dataset": st.sampled_from(["a", "b", None]),
                "record_key": st.text(max_size=3),
                "moved_m": st.one_of(st.none(), st.integers(0, 3), st.booleans()),
            }
        )
    )
)
def test_packed_tables_unpack_to_the_same(rows: list[dict[str, Any]]) -> None:
    empty = {name: [] for name in export.TABLES}
    document = empty | {"changes": rows, "exported_at": "x", "sources": [{"columns": 1}]}
    written = json.loads(json.dumps(export.packed(document)))
    assert export.unpacked(written) == document
    if len(rows) > 6 and any(row["dataset"] for row in rows):
        assert set(written["changes"]["codes"]["dataset"]) <= {"a", "b"}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("86"), 86),
        (Decimal("86.5"), 86.5),
        (86.0, 86),
        (True, True),
        (None, None),
        (date(2026, 9, 1), "2026-09-01"),
        (datetime(2026, 9, 1, 8, 30, 1, 999, tzinfo=UTC), "2026-09-01T08:30:01Z"),
        (datetime(2026, 9, 1, 8, 30, 1), "2026-09-01T08:30:01Z"),  # noqa: DTZ001 — as warehouses give it
    ],
)
def test_values_are_the_same_from_either_warehouse(value: Any, plain: Any) -> None:
    assert repr(export._plain(value)) == repr(plain)


def test_every_dataset_and_licence_of_the_registry_is_known() -> None:
    assert set(export.EVERY) == set(registry())
    assert {dataset.licence for dataset in registry().values()} == set(export.LICENCE_URLS)


def test_no_manifest_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="run `make demo` or `make run` first"):
        export.Manifest(tmp_path / "manifest.json", "duckdb")


def test_a_manifest_of_another_warehouse_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"metadata": {"adapter_type": "snowflake"}, "nodes": {}}))
    with pytest.raises(BuildError, match="written for snowflake, the export reads duckdb"):
        export.Manifest(path, "duckdb")
    with pytest.raises(BuildError, match="no model dim_college: run `dbt build`"):
        export.Manifest(path, "snowflake").relation("dim_college")


def test_no_warehouse_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COLLEGES_HOME", str(tmp_path))
    monkeypatch.setenv("COLLEGES_TARGET", "duckdb")
    assert export.main(["--out", str(tmp_path / "out.json")]) == 1
    assert "No warehouse at" in caplog.text
    assert not (tmp_path / "out.json").exists()


def test_a_document_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BuildError, match=r"nothing was written: .*exported_at"):
        export.validate({"schema_version": 1})


def test_the_lock_names_no_registry() -> None:
    lock = (PROJECT_DIR / "dashboard" / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert not any("resolved" in package for package in packages.values())


def test_every_doubt_about_an_identity_has_words() -> None:
    """Else the page would show a word of the models and a collège's identifier."""
    models = PROJECT_DIR / "models/marts"
    (report,) = yaml.safe_load((models / "rpt_college_identity_conflict.yml").read_text())["models"]
    (column,) = (c for c in report["columns"] if c["name"] == "conflict_type")
    (test,) = column["data_tests"]
    sql = (models / "rpt_portal_anomaly.sql").read_text()
    left_out = re.findall(r"conflict_type not in \((.*)\)", sql)[0]
    page = (PROJECT_DIR / "dashboard/src/views/anomalies.js").read_text(encoding="utf-8")
    (doubts,) = re.findall(r"const DOUBTS = \[(.*?)\]", page, flags=re.DOTALL)
    known = set(test["accepted_values"]["arguments"]["values"])
    assert set(re.findall(r"\w+", doubts)) == known - set(re.findall(r"\w+", left_out))
