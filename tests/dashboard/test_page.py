"""The built page in a real Chromium, on the synthetic sample and on the recorded states."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dashboard import export, sector_files
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse
from tests.browser import run
from tests.dashboard import figures
from tests.dashboard.conftest import DASHBOARD, Built
from tests.snowflake.conftest import Fake, account, fake

__all__ = ["account", "fake"]

pytestmark = pytest.mark.timeout(900)

SNOWFLAKE_TYPES = {"DOUBLE": "float", "TIMESTAMP": "timestamp_ntz"}


def node_test(name: str, **environ: str) -> str:
    """Run one file of the page's own tests."""
    command = ["node", "--test", "--test-reporter=spec", f"tests/{name}.test.mjs"]
    return run(command, timeout=600, cwd=str(DASHBOARD), **environ)


def test_what_needs_no_browser(node: None) -> None:
    assert "fail 0" in node_test("unit")


@pytest.mark.parametrize("states", ["sample", "real"])
@pytest.mark.parametrize("name", ["page", "grid"])
def test_every_view(
    site: Path, chromium: str, name: str, states: str, request: pytest.FixtureRequest
) -> None:
    """What each does, and each at every width, in both languages, light or dark."""
    built: Built = request.getfixturevalue(states)
    node_test(
        name,
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(built.document),
        CHROMIUM=chromium,
    )


def test_what_the_browser_does(site: Path, chromium: str, sample: Built) -> None:
    """Keys, the clipboard, files, printing, no JavaScript: the same whatever the document."""
    node_test(
        "browser",
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(sample.document),
        CHROMIUM=chromium,
    )


@pytest.mark.parametrize("states", ["sample", "real"])
def test_the_way_to_a_college(
    site: Path, chromium: str, states: str, request: pytest.FixtureRequest
) -> None:
    """From an address, a tap and the device's position, on a phone and on a desk."""
    built: Built = request.getfixturevalue(states)
    node_test(
        "sector",
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(built.document),
        CHROMIUM=chromium,
    )


def test_hostile_names_and_missing_data(site: Path, chromium: str, sample: Built) -> None:
    node_test(
        "hostile",
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(sample.document),
        CHROMIUM=chromium,
    )


def test_facts_of_the_recorded_states(site: Path, chromium: str, real: Built) -> None:
    node_test(
        "recorded",
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(real.document),
        CHROMIUM=chromium,
    )


@pytest.mark.parametrize("states", ["sample", "real"])
def test_every_number_is_the_marts(
    site: Path, chromium: str, states: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Tiles, tables, a collège's figures and counts of errors, compared with SQL."""
    built: Built = request.getfixturevalue(states)
    with closing(duckdb.connect(built.home.path / "warehouse.duckdb", read_only=True)) as database:
        expected = figures.expected(database)
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(expected))
    node_test(
        "figures",
        DASHBOARD_SITE=str(site),
        DASHBOARD_DOCUMENT=str(built.document),
        CHROMIUM=chromium,
        FIGURES=str(path),
    )


def test_every_definition_is_translated(sample: Built) -> None:
    """A definition that changed in the models needs its French in dashboard/definitions.fr.json."""
    definitions = export.unpacked(json.loads(sample.document.read_text()))["definitions"]
    assert [text["en"] for text in definitions.values() if text["fr"] is None] == []
    french = json.loads(export.FRENCH_FILE.read_text(encoding="utf-8"))
    assert set(french) - {text["en"] for text in definitions.values()} == set()


def test_a_table_names_no_dataset_that_it_does_not_descend_from(sample: Built) -> None:
    """The macro raw_versions reads every source that has a dataset, and the lineage shows none."""
    manifest = json.loads(sample.manifest.read_text())
    parents = manifest["parent_map"]
    parents[f"model.{export.PROJECT}.stg_record_versions"] = [
        name for name, node in manifest["sources"].items() if "dataset" in node["config"]["meta"]
    ]
    document = export.unpacked(json.loads(sample.document.read_text()))
    tables = {**export.TABLES, "distances": export.DISTANCES}
    for name, table in tables.items():
        sources = {
            "-".join(node.split(".")[-1].split("_"))
            for node in ancestors(parents, f"model.{export.PROJECT}.{table.model}")
            if node.startswith("source.")
        }
        assert set(document["table_datasets"][name]) <= sources, name


def test_the_dashboards_exposures_are_the_marts_it_exports(sample: Built) -> None:
    exposures = json.loads(sample.manifest.read_text())["exposures"].values()
    exposed = {
        node.split(".")[-1]
        for exposure in exposures
        if exposure["name"].startswith("dashboard_")
        for node in exposure["depends_on"]["nodes"]
    }
    exported = {table.model for table in (*export.TABLES.values(), export.DISTANCES)}
    assert exposed == exported | {export.LOAD_MODEL, *sector_files.MODELS}


def test_queries_for_looker_studio_run_and_their_marts_are_its_exposure(sample: Built) -> None:
    text = (PROJECT_DIR / "docs" / "looker-studio.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(select.*?)```", text, flags=re.DOTALL)
    assert len(queries) == 6
    with closing(duckdb.connect(sample.home.path / "warehouse.duckdb", read_only=True)) as database:
        for query in queries:
            assert database.execute(query).fetchone(), query
    exposure = json.loads(sample.manifest.read_text())["exposures"][
        f"exposure.{export.PROJECT}.looker_studio"
    ]
    exposed = {node.split(".")[-1] for node in exposure["depends_on"]["nodes"]}
    assert set(re.findall(r"marts\.(\w+)", " ".join(queries))) <= exposed


def ancestors(parents: dict[str, list[str]], node: str) -> Iterator[str]:
    """All nodes a node descends from, and itself."""
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            yield current
            waiting.extend(parents.get(current, []))


def test_snowflake_gives_the_same_document(
    sample: Built, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same marts, copied into a fake account, export to the same document."""
    copy_marts(sample.home.path / "warehouse.duckdb", fake, tmp_path)
    manifest = json.loads(sample.manifest.read_text())
    manifest["metadata"]["adapter_type"] = "snowflake"
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            node["relation_name"] = f"{fake.database}.marts.{node['name']}"
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))
    settings = Settings(home=tmp_path, target="snowflake")
    with open_warehouse(settings, fake.environ, purpose="read").connect() as connection:
        document, _ = export.export(
            connection, export.Manifest(path, "snowflake"), datetime(2026, 11, 22, tzinfo=UTC)
        )
    expected: dict[str, Any] = export.unpacked(json.loads(sample.document.read_text()))
    expected["exported_at"] = "2026-11-22T00:00:00Z"
    school_year = document["distances"][0]["school_year"]
    expected["distances"] = [
        entry for entry in expected["distances"] if entry["school_year"] == school_year
    ]
    assert document.keys() == expected.keys()
    for name, content in expected.items():
        assert document[name] == content, name


def copy_marts(path: Path, fake: Fake, folder: Path) -> None:
    """The marts the export reads; of the distances only the first school year, for speed.

    The rows go by files that the DuckDB behind the account reads: values in statements, which it
    would have to parse, take twenty seconds.
    """
    models = [table.model for table in export.TABLES.values()] + [export.LOAD_MODEL]
    models = list(dict.fromkeys([*models, *sector_files.MODELS]))
    with (
        closing(duckdb.connect(path, read_only=True)) as source,
        closing(fake.connect(network_timeout=120)) as target,
        closing(target.cursor()) as cursor,
    ):
        cursor.execute("create schema if not exists marts")
        for model in (*models, export.DISTANCES.model):
            only = (
                f" where school_year = (select min(school_year) from marts.{model})"
                if model == export.DISTANCES.model
                else ""
            )
            rows = source.sql(f"select * from marts.{model}{only}")
            file = folder / f"{model}.parquet"
            rows.write_parquet(str(file))
            columns = ", ".join(
                f"{name} {SNOWFLAKE_TYPES.get(str(kind), str(kind))}"
                for name, kind in zip(rows.columns, rows.types, strict=True)
            )
            cursor.execute(f"create or replace table marts.{model} ({columns})")
            cursor.execute(f"insert into marts.{model} select * from read_parquet('{file}')")
