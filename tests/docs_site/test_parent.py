"""A parent's way: from the site's first page to the collège of an address, on a phone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingestion.settings import Settings
from ingestion.warehouse import open_warehouse
from tests.dashboard.conftest import Built, page, real
from tests.docs_site.conftest import Site
from tests.docs_site.numbers import assert_numbers
from tests.docs_site.test_site import in_browser, render
from which.address import read_address
from which.answer import Map, find

__all__ = ["page", "real"]

pytestmark = pytest.mark.timeout(900)
ADDRESS = "12 rue Clovis, 75005"


def test_from_the_first_page_to_the_answer_in_two_actions(
    site: Site, page: Path, real: Built, chromium: str, tmp_path: Path
) -> None:
    """On the recorded states; the command gives the answer that the page must give."""
    settings = Settings(home=real.home.path, target="duckdb")
    with open_warehouse(settings, purpose="read").connect() as connection:
        told = find(Map(connection), read_address(ADDRESS))
        displayed = dict(connection.rows("select college_id, display_name from marts.dim_college"))
    assert told.status == "found"
    dashboard = tmp_path / "site" / "dashboard"
    shutil.copytree(page, dashboard)
    (dashboard / "data").mkdir(exist_ok=True)
    for file in real.home.path.glob("*.json"):
        shutil.copy(file, dashboard / "data")
    render(Site(tmp_path / "site", real.home.path, site.target_path))
    in_browser(
        "parent",
        tmp_path / "site",
        chromium,
        ADDRESS=ADDRESS,
        COLLEGES="|".join(displayed[college["college_id"]] for college in told.colleges),
    )
    # The same pages once more: what they show of the recorded states, at every width.
    recorded = Site(tmp_path / "site", real.home.path, site.target_path)
    artifacts = recorded.artifacts()
    marts = recorded.marts(artifacts)
    warehouse = real.home.path / "warehouse.duckdb"
    assert_numbers(recorded.out, warehouse, artifacts, marts, site.target_path)
    in_browser("grid", recorded.out, chromium, IS_SYNTHETIC="0", PAGES="kinds")
