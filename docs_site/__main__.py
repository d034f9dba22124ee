"""Build the site: ``python -m docs_site --out site``."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from docs_site import pages, tools
from docs_site.artifacts import Artifacts
from docs_site.marts import Lineage, read_marts
from docs_site.sources import dataset_states
from ingestion.errors import CollegesError, WarehouseError
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import open_warehouse

logger = logging.getLogger(__name__)

OURS = ("changelog", "data", "dbt", "docs", "en", "lineage", "quality")
"""Directories that are made anew; ``dashboard/`` is another's."""


def build(settings: Settings, out: Path, site_url: str = "") -> int:
    """Write the whole site.

    Args:
        settings: which warehouse to read.
        out: directory; what else is in it stays.
        site_url: where the site will be served; empty where it is not known.

    Returns:
        How many pages of our own.

    Raises:
        CollegesError: nothing was built yet, or a tool failed.
    """
    target_path = PROJECT_DIR / (os.environ.get("DBT_TARGET_PATH") or "target")
    artifacts = Artifacts(target_path, settings.target)
    if settings.target == "duckdb" and not settings.warehouse_path.exists():
        raise WarehouseError(
            f"No warehouse at {settings.warehouse_path}: run `make demo` or `make run` first."
        )
    docs = tools.describe(settings, target_path)
    for name in OURS:
        shutil.rmtree(out / name, ignore_errors=True)
    tools.dbt_page(docs, out / "dbt")
    lineage = tools.column_lineage(docs, out / "lineage")
    marts = read_marts(artifacts, Lineage(tools.read_json(lineage), artifacts))
    now = datetime.now(UTC)
    with open_warehouse(settings, purpose="read").connect() as connection:
        states = dataset_states(connection, artifacts, now)
        return pages.render_site(out, connection, artifacts, marts, states, now, site_url)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs_site", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the site's directory")
    parser.add_argument(
        "--site-url",
        default=os.environ.get("SITE_URL", ""),
        help="where the site will be served: for its sitemap and canonical addresses",
    )
    options = parser.parse_args(arguments)
    site_url = options.site_url and options.site_url.rstrip("/") + "/"
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        count = build(Settings.from_environment(), options.out, site_url)
    except CollegesError as error:
        logger.error("Error: %s", error)  # noqa: TRY400 — our own errors are messages
        return error.exit_code
    logger.info("Wrote %d pages: open %s", count, options.out / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
