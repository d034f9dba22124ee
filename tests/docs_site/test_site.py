"""The site: in a browser, its downloads, its figures, and what it does with hostile text."""

from __future__ import annotations

import csv
import json
import re
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from docs_site import pages, tools
from docs_site.__main__ import main
from docs_site.facts import facts_of, read_facts
from docs_site.fields import fields_read
from docs_site.marts import Origin
from docs_site.sources import Counts, DatasetState, Terms, dataset_states
from ingestion.errors import BuildError
from ingestion.registry import registry
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse
from tests.browser import run
from tests.docs_site.conftest import Site
from tests.docs_site.numbers import assert_numbers

pytestmark = pytest.mark.timeout(900)

ARRONDISSEMENTS = "arrondissements"
COLLEGES = "etablissements-scolaires-colleges"
RESULTS = "fr-en-indicateurs-valeur-ajoutee-colleges"
HOSTILE = (
    "</script><script>window.hostile=1</script><img src=x onerror=window.hostile=1>"
    " [a](javascript:window.hostile=1)"
)


def in_browser(name: str, site: Path, chromium: str, **environ: str) -> None:
    test = PROJECT_DIR / "tests" / "docs_site" / f"{name}.test.mjs"
    command = ["node", "--test", "--test-reporter=spec", str(test)]
    run(command, timeout=800, DOCS_SITE=str(site), CHROMIUM=chromium, **environ)


def test_every_page(site: Site, node: None, chromium: str) -> None:
    manifest = site.target_path / "docs" / "manifest.json"
    in_browser("site", site.out, chromium, DOCS_MANIFEST=str(manifest))


def test_every_page_at_every_width(site: Site, node: None, chromium: str) -> None:
    """Light and dark; on the recorded states in `test_parent`."""
    in_browser("grid", site.out, chromium, IS_SYNTHETIC="1", PAGES="all")


def test_every_number_is_the_warehouses(site: Site) -> None:
    artifacts = site.artifacts()
    marts = site.marts(artifacts)
    assert_numbers(site.out, site.home / "warehouse.duckdb", artifacts, marts, site.target_path)


def test_hostile_text_stays_text(site: Site, node: None, chromium: str, tmp_path: Path) -> None:
    shutil.copytree(site.target_path, tmp_path / "target")
    shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    with closing(duckdb.connect(tmp_path / "warehouse.duckdb")) as database:
        database.execute(
            "update marts.dim_college set college_name = ?, display_name = ?", [HOSTILE] * 2
        )
        database.execute("update marts.fct_college_change set from_value = ?", [HOSTILE])
        database.execute(
            "update marts.fct_portal_edit set record_key = ?, field = ?", [HOSTILE] * 2
        )
    for path in (tmp_path / "target").rglob("manifest.json"):
        manifest = json.loads(path.read_text())
        for node_ in manifest["nodes"].values():
            node_["description"] = f"Grain: {HOSTILE}. " + HOSTILE
            for column in node_["columns"].values():
                column["description"] = HOSTILE
        path.write_text(json.dumps(manifest))
    results = tmp_path / "target" / "run_results.json"
    content = json.loads(results.read_text())
    for result in content["results"]:
        result |= {"status": "fail", "message": HOSTILE}
    results.write_text(json.dumps(content))
    hostile = Site(tmp_path / "site", tmp_path, tmp_path / "target")
    render(hostile)
    tools.dbt_page(hostile.target_path / "docs", hostile.out / "dbt")
    tools.column_lineage(hostile.target_path / "docs", hostile.out / "lineage")
    page = (hostile.out / "data" / "dim_college.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    in_browser("hostile", hostile.out, chromium)


def render(site: Site, now: datetime | None = None) -> None:
    """Our own pages alone, within this process."""
    now = now or datetime.now(UTC)
    artifacts = site.artifacts()
    marts = list(site.marts(artifacts).values())
    with open_warehouse(site.settings, purpose="read").connect() as connection:
        states = dataset_states(connection, artifacts, now)
        pages.render_site(site.out, connection, artifacts, marts, states, now)


def test_downloads_hold_every_row_and_say_what_they_are(site: Site) -> None:
    marts = site.marts(site.artifacts())
    files = site.out / "data" / "files"
    assert len(list(files.iterdir())) == 6 * len(marts)
    with closing(duckdb.connect(site.home / "warehouse.duckdb", read_only=True)) as database:
        for name, mart in marts.items():
            rows = database.execute(f"select count(*) from marts.{name}").fetchall()[0][0]
            csv_file, parquet = (files / f"SYNTHETIC_{name}.{kind}" for kind in ("csv", "parquet"))
            with csv_file.open(encoding="utf-8", newline="") as file:
                header, *content = csv.reader(file)
            assert len(content) == rows, name
            columns = [column.name for column in mart.columns]
            assert header == columns
            same = f"select {', '.join(columns)} from"
            for one, other in (("mart", "file"), ("file", "mart")):
                relations = {"mart": f"marts.{name}", "file": f"'{parquet}'"}
                # the Parquet file's timestamps carry UTC, the mart's are naive
                database.execute("set timezone = 'UTC'")
                differing = database.execute(
                    f"select count(*) from ({same} {relations[one]}"
                    f" except all {same} {relations[other]})"
                ).fetchall()
                assert differing == [(0,)], name
            for path in (csv_file, parquet):
                metadata = json.loads(path.with_name(f"{path.name}-metadata.json").read_text())
                assert metadata["url"] == path.name
                assert metadata["schema:numberOfItems"] == rows
                described = metadata["tableSchema"]["columns"]
                assert [column["name"] for column in described] == columns
                assert all(column["dc:description"] for column in described)
                assert metadata["tableSchema"]["primaryKey"] == list(mart.key)
                assert metadata["dc:description"].startswith("SYNTHETIC SAMPLE")
                licences = {source["dc:license"]["@id"] for source in metadata["schema:isBasedOn"]}
                assert bool(licences) == ("dc:license" in metadata)
                if any("odbl" in licence for licence in licences):
                    assert "odbl" in metadata["dc:license"]["@id"]


def test_a_formula_in_a_csv_is_text(site: Site, tmp_path: Path) -> None:
    shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    with closing(duckdb.connect(tmp_path / "warehouse.duckdb")) as database:
        database.execute("update marts.dim_college set address = '=1+1', longitude = -1.5")
    artifacts = site.artifacts()
    mart = site.marts(artifacts)["dim_college"]
    settings = Settings(home=tmp_path, target="duckdb")
    with open_warehouse(settings, purpose="read").connect() as connection:
        states = dataset_states(connection, artifacts, datetime.now(UTC))
        terms = Terms(tuple(states[dataset] for dataset in mart.datasets))
        (csv_file, _, excel), sample = pages.downloads.write(
            connection,
            mart,
            terms,
            tmp_path,
            exported_at=datetime.now(UTC),
            is_synthetic=False,
            college_names={},
        )
    with csv_file.path.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["address"], row["longitude"]) == ("'=1+1", "-1.5")
    assert csv_file.path.name == "dim_college.csv"
    with excel.path.open(encoding="utf-8-sig", newline="") as file:
        row = next(csv.DictReader(file, delimiter=";"))
    assert (row["address"], row["longitude"]) == ("'=1+1", "-1,5")
    assert len(sample) == pages.downloads.SAMPLE_ROWS


def test_french_excel_reads_the_file_made_for_it(site: Site) -> None:
    path = site.out / "data" / "files" / "SYNTHETIC_fct_college_distance-excel.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    metadata = json.loads(path.with_name(f"{path.name}-metadata.json").read_text())
    assert metadata["dialect"] == {"delimiter": ";"}
    changes = path.with_name("SYNTHETIC_fct_college_change-excel.csv")
    with changes.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert all(row["college_name"] for row in rows)
    outlines = path.with_name("SYNTHETIC_dim_arrondissement-excel.csv")
    assert "boundary_geojson" not in outlines.read_text(encoding="utf-8-sig").splitlines()[0]


def test_columns_know_where_they_come_from(site: Site) -> None:
    marts = site.marts(site.artifacts())
    origins = {
        f"{mart.name}.{column.name}": column.origins
        for mart in marts.values()
        for column in mart.columns
    }
    assert all(origins.values())
    success = Origin("dataset", RESULTS, ("taux_de_reussite_g",))
    assert origins["fct_college_result.success_rate_pct"] == (success,)
    assert origins["fct_college_school_year.address"] == (
        Origin("dataset", COLLEGES, ("adresse",)),
    )
    # a point counts where it lies in the arrondissement that its record names
    assert origins["fct_college_distance.distance_km"] == (
        Origin("dataset", ARRONDISSEMENTS, ("c_arinsee",)),
        Origin("dataset", COLLEGES, ("arr_insee", "geo_shape", "geo_point_2d")),
    )
    assert origins["fct_college_distance.school_year"] == (
        Origin("dataset", COLLEGES, ("annee_scol",)),
    )
    assert origins["agg_school_year.school_year"] == (Origin("calendar"),)
    assert origins["fct_source_load.rows_new"] == (Origin("ledger"),)
    assert origins["fct_source_load.versions_in_raw"] == (Origin("ledger"),)
    assert origins["agg_school_year.pair_count"] == (Origin("here"),)
    # through a union, which a newer sqlglot hides from dbt-colibri
    assert COLLEGES in {origin.name for origin in origins["fct_college_change.from_value"]}
    assert Origin("decisions", "college_identity_decisions") in origins["dim_college.college_id"]
    # by what the columns show, not by all that the model descends from
    assert marts["fct_college_distance"].datasets == (COLLEGES, ARRONDISSEMENTS)
    assert set(marts["dim_school_year"].datasets) >= {COLLEGES, RESULTS}
    assert marts["fct_source_load"].datasets == ()


def test_fields_are_read_out_of_staging_sql() -> None:
    sql = """
    with source as (select record_key, payload from raw.d),
    typed as (
        select  -- json_extract_string(payload, '$.no_field')
            record_key,
            nullif(trim(json_extract_string(payload, '$.libelle')), '') as college_name,
            cast(case when get_path(payload, 'session') = '1' then 1 end as integer) as session,
            translate(json_extract_string(payload, '$.taux'), ',−', '.--') as rate,
            coalesce(
                json_extract_string(payload, '$.geo_shape.coordinates[0]'),
                json_extract_string(payload, '$.geo_point_2d.lon')
            ) as longitude
        from source
    ),
    final as (select college_name, upper(college_name) || session as title from typed)
    select * from final
    """
    assert fields_read(sql) == {
        "college_name": ("libelle",),
        "session": ("session",),
        "rate": ("taux",),
        "longitude": ("geo_shape", "geo_point_2d"),
        "title": ("libelle", "session"),
    }


def test_the_search_index_has_every_page_table_and_column(site: Site) -> None:
    text = (site.out / "search-index.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("window.searchIndex=").removesuffix(";\n"))
    found = {(kind, name) for kind, name, _, _ in entries}
    marts = site.marts(site.artifacts())
    assert {("table", name) for name in marts} <= found
    assert ("column", "fct_college_result.success_rate_pct") in found
    assert ("model", "int_college__records") in found
    for _, name, _, href in entries:
        assert (site.out / re.split("[?#]", href)[0]).exists(), name


def test_a_site_with_an_address_says_where_its_pages_are(site: Site, tmp_path: Path) -> None:
    artifacts = site.artifacts()
    marts = list(site.marts(artifacts).values())
    with open_warehouse(site.settings, purpose="read").connect() as connection:
        states = dataset_states(connection, artifacts, datetime.now(UTC))
        now = datetime.now(UTC)
        url = "https://example.org/colleges/"
        count = pages.render_site(tmp_path, connection, artifacts, marts, states, now, url)
    assert (tmp_path / "sitemap.xml").read_text().count("<loc>") == count
    page = (tmp_path / "data" / "dim_college.html").read_text()
    assert f'rel="canonical" href="{url}data/dim_college.html"' in page
    script = page.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    described = json.loads(script)
    assert described["@type"] == "Dataset"
    assert described["distribution"][0]["contentUrl"].startswith(f"{url}data/files/")
    assert "canonical" not in (site.out / "data" / "dim_college.html").read_text()


def state(**changes: Any) -> DatasetState:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    load = {
        "status": "finished",
        "extracted_at": now - timedelta(days=100),
        "portal_data_processed_at": now - timedelta(days=200),
        "rows_new": 1,
    }
    nothing = dict.fromkeys(("rows_changed", "rows_restored", "rows_withdrawn"), 0)
    return replace(
        DatasetState(
            dataset=registry()[COLLEGES],
            cadence="yearly",
            late_after=None,
            published_within=1,
            first_school_year="2017-2018",
            last_school_year="2025-2026",
            counts=Counts(10, 10, 1, 9, 9, 9),
            now=now,
            loads=[nothing | load],
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "timeliness"),
    [
        # 2026-2027 is expected within itself, so by August 2027
        ({"now": datetime(2027, 8, 31, tzinfo=UTC)}, "on_time"),
        ({"now": datetime(2027, 9, 1, tzinfo=UTC)}, "late"),
        ({"now": datetime(2027, 9, 1, tzinfo=UTC), "published_within": 2}, "on_time"),
        ({"now": datetime(2028, 9, 1, tzinfo=UTC), "published_within": 2}, "late"),
        ({"now": datetime(2028, 1, 1, tzinfo=UTC), "published_within": None}, "unscheduled"),
        ({"now": datetime(2028, 1, 1, tzinfo=UTC), "last_school_year": None}, "unscheduled"),
        # by the portal's own date, however often it was read since
        ({"cadence": "daily", "late_after": timedelta(days=90)}, "late"),
        ({"cadence": "daily", "late_after": timedelta(days=400)}, "on_time"),
        ({"loads": []}, "never"),
    ],
)
def test_lateness(changes: dict[str, Any], timeliness: str) -> None:
    assert state(**changes).timeliness == timeliness


def test_the_next_school_year_is_expected_by_the_publishers_calendar() -> None:
    assert state().expected == ("2026-2027", date(2027, 8, 31))
    assert state(published_within=2).expected == ("2026-2027", date(2028, 8, 31))


def test_every_dataset_says_how_often_it_is_published(site: Site) -> None:
    """In its source's ``meta.cadence``, by a word the pages know."""
    sources = {dataset_id: site.artifacts().source(dataset_id) for dataset_id in registry()}
    said = {name: source["config"]["meta"].get("cadence") for name, source in sources.items()}
    assert set(said.values()) <= {"daily", "yearly", "ended", "none"}, said


def test_a_pull_that_changed_nothing_is_no_update() -> None:
    changed = state().loads[0]
    idle = changed | {"rows_new": 0, "extracted_at": state().now}
    assert state(loads=[changed, idle]).changed_at == changed["extracted_at"]


def test_counts_agree_at_every_stage_but_for_what_was_kept_out() -> None:
    counts = state().counts
    assert counts.agrees
    for change in ({"raw": 8}, {"staging": None}, {"kept": 10}, {"received": 9}, {"portal": None}):
        assert not replace(counts, **change).agrees, change


def test_the_demo_is_reconciled_and_a_lost_row_shows(site: Site, tmp_path: Path) -> None:
    shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    with closing(duckdb.connect(tmp_path / "warehouse.duckdb")) as database:
        database.execute(
            "delete from raw.opendata_paris__arrondissements where record_key ="
            " (select min(record_key) from raw.opendata_paris__arrondissements)"
        )
    artifacts = site.artifacts()
    for home, differing in ((site.home, set()), (tmp_path, {"arrondissements"})):
        settings = Settings(home=home, target="duckdb")
        with open_warehouse(settings, purpose="read").connect() as connection:
            states = dataset_states(connection, artifacts, datetime.now(UTC))
        assert {name for name, state in states.items() if not state.counts.agrees} == differing


def test_failures_come_first_and_a_late_source_is_badged(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.target_path, tmp_path / "target")
    shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    results = tmp_path / "target" / "run_results.json"
    content = json.loads(results.read_text())
    broken = next(
        r for r in content["results"] if "unique_dim_college_college_id" in r["unique_id"]
    )
    broken |= {"status": "fail", "message": "Got 3 results", "failures": 3}
    results.write_text(json.dumps(content))
    later = Site(tmp_path / "site", tmp_path, tmp_path / "target")
    render(later, now=datetime.now(UTC) + timedelta(days=2000))
    quality = (later.out / "quality" / "index.html").read_text().replace("<wbr>", "")
    first, second = quality.index("unique_dim_college_college_id"), quality.index("fields_drifted")
    assert first < second < quality.index('id="freshness"')
    assert 'badge late">late' in quality
    mart = (later.out / "data" / "dim_college.html").read_text()
    assert "Got 3 results" in mart
    assert 'badge late">late' in mart
    assert 'badge late">en retard' in (later.out / "index.html").read_text()


def test_a_field_that_drifted_is_named(site: Site) -> None:
    with closing(duckdb.connect(site.home / "warehouse.duckdb", read_only=True)) as database:
        (drift,) = database.sql(
            "select drift from marts.fct_source_load where status = 'finished'"
            " and dataset = 'fr-en-ips-colleges-ap2023' order by run_sequence desc limit 1"
        ).fetchall()[0]
    assert drift != "[]"
    quality = (site.out / "quality" / "index.html").read_text()
    for change in json.loads(drift):
        assert f"{change['field']} no longer there" in quality
    assert "configured to warn" not in quality


def test_rows_that_cannot_be_asked_for_again_leave_the_message(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(site.target_path, tmp_path / "target")
    shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    results = tmp_path / "target" / "run_results.json"
    content = json.loads(results.read_text())
    drifted = next(r for r in content["results"] if "fields_drifted" in r["unique_id"])
    drifted |= {"compiled_code": "select * from marts.no_such_table", "message": "Got 2 results"}
    results.write_text(json.dumps(content))
    render(Site(tmp_path / "site", tmp_path, tmp_path / "target"))
    assert "Got 2 results" in (tmp_path / "site" / "quality" / "index.html").read_text()
    assert "The rows of fields_drifted are not shown" in caplog.text


def test_coverage_comes_first_and_french_has_its_spaces(site: Site) -> None:
    with closing(duckdb.connect(site.home / "warehouse.duckdb", read_only=True)) as database:
        first, last = database.sql(
            "select min(school_year), max(school_year) from marts.fct_college_result"
        ).fetchall()[0]
    english = (site.out / "en" / "index.html").read_text()
    assert f'>{first}</span> to <strong class="year">{last}</strong>' in english
    french = (site.out / "index.html").read_text()
    text = re.sub(r"<[^>]*>", "", french.partition("<main")[2])
    assert not re.findall(r"\w [:;!?»]\s", text)
    assert "\u00a0:" in text


def test_every_head_says_what_the_page_is(site: Site) -> None:
    """For a link shared elsewhere, a search engine and a browser's tab."""
    titles = []
    theirs = {"dbt", "lineage"}  # pages of dbt and colibri
    for page in site.out.rglob("*.html"):
        if page.relative_to(site.out).parts[0] in theirs:
            continue
        head = page.read_text().partition("<body")[0]
        said = dict(re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', head))
        titles.append(said["og:title"])
        assert len(said["description"]) > 20, page
        assert said["og:description"] == said["description"], page
        assert said["og:type"] == "website", page
        (icon,) = re.findall(r'<link rel="icon" type="image/svg\+xml" href="([^"]+)"', head)
        assert (page.parent / icon).is_file(), page
    assert len(set(titles)) == len(titles)
    for page, language in ((site.out / "index.html", "fr"), (site.out / "en/index.html", "en")):
        text = page.read_text()
        assert f'<html lang="{language}"' in text
        others = dict(re.findall(r'<link rel="alternate" hreflang="(..)" href="([^"]+)"', text))
        assert (page.parent / others["fr"]).resolve() == (site.out / "index.html").resolve()
        assert (page.parent / others["en"]).resolve() == (site.out / "en/index.html").resolve()


def test_known_issues_stand_with_the_marts_they_touch(site: Site) -> None:
    artifacts = site.artifacts()
    marts = site.marts(artifacts)
    facts = read_facts((PROJECT_DIR / "docs" / "data-quality.md").read_text(encoding="utf-8"))
    assert len(facts) > 30
    touching = {name: facts_of(mart, facts, artifacts) for name, mart in marts.items()}
    for name, fact in (
        ("fct_college_distance", "Each pair of collèges is listed once, not in both directions."),
        ("fct_college_change", "The city respells addresses from one year to the next."),
    ):
        assert fact in {each.fact for each in touching[name]}
    assert all(len(found) < 20 for found in touching.values())


def test_the_build_keeps_its_results(site: Site) -> None:
    """`dbt docs generate` writes results of its own; those of the build stay the site's."""
    assert site.artifacts().last_build.command == "dbt build"
    assert {check.status for check in site.artifacts().checks if check.kind == "test"} == {
        "pass",
        "warn",
    }


def test_nothing_built_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COLLEGES_HOME", str(tmp_path))
    monkeypatch.setenv("COLLEGES_TARGET", "duckdb")
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "site")]) == 1
    assert "run `make demo` or `make run` first" in caplog.text
    assert not (tmp_path / "site").exists()


def test_results_of_a_command_that_tests_nothing_are_refused(site: Site, tmp_path: Path) -> None:
    """`dbt compile` writes results too, of which every one is a success."""
    shutil.copy(site.target_path / "manifest.json", tmp_path)
    results = json.loads((site.target_path / "run_results.json").read_text())
    results["args"]["which"] = "compile"
    (tmp_path / "run_results.json").write_text(json.dumps(results))
    with pytest.raises(BuildError, match=r"results of `dbt compile`.*run `dbt build` again"):
        site.artifacts(tmp_path)


def test_lineage_that_lost_columns_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "colibri"
    said.write_text("#!/bin/sh\necho '[ERROR] Unexpected error processing model x, column y'\n")
    said.chmod(0o755)
    monkeypatch.setattr(tools, "COLIBRI", said)
    with pytest.raises(BuildError, match="could not follow 1 columns"):
        tools.column_lineage(site.target_path / "docs", tmp_path)


def test_a_dashboard_that_is_built_is_linked_and_left_alone(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "site"
    (out / "dashboard").mkdir(parents=True)
    (out / "dashboard" / "index.html").write_text("here")
    render(replace(site, out=out))
    assert (out / "dashboard" / "index.html").read_text() == "here"
    assert 'href="dashboard/index.html#/?lang=fr"' in (out / "index.html").read_text()
    assert 'dashboard/index.html#/?lang=en"' in (out / "data" / "index.html").read_text()
    assert "dashboard/index.html" not in (site.out / "index.html").read_text()
