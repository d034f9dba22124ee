"""Every page of our own, out of templates."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from docs_site import downloads, graph, markdown, search
from docs_site.artifacts import BAD, NOT_RUN, Artifacts, Check
from docs_site.evidence import evidence
from docs_site.facts import Fact, facts_of, read_facts
from docs_site.marts import Mart
from docs_site.sources import DatasetState, Terms, utc
from ingestion.settings import PROJECT_DIR
from ingestion.warehouse import Connection

HERE = Path(__file__).resolve().parent
DOCUMENTS = PROJECT_DIR / "docs"
SHOWN_EDITS = 200
"""Rows of one portal's edits of one day on the changelog; the rest is in the download."""

MART_GROUPS = {
    "dim": "Dimensions",
    "fct": "Facts",
    "bridge": "Bridges",
    "agg": "Aggregates",
    "rpt": "Reports for maintainers",
}
PAGES = (
    ("Accueil", "index.html"),
    ("Home", "en/index.html"),
    ("Data: all tables", "data/index.html"),
    ("Quality", "quality/index.html"),
    ("Data changelog", "changelog/index.html"),
    (
        "Column lineage",
        "lineage/index.html?model=model.paris_colleges.dim_college&parents=1&children=1",
    ),
    ("dbt docs", "dbt/index.html#!/model/model.paris_colleges.dim_college"),
)
"""Title and path of the pages that search finds by their title alone."""
OTHER_MARTS = "Others"
LEGACY_MARTS = "Under the old project’s names"


@dataclass(frozen=True)
class MartPage:
    """A mart with all that its page says of it."""

    mart: Mart
    terms: Terms
    downloads: list[downloads.Download]
    sample: list[tuple[Any, ...]]
    """Its first rows, as text."""
    checks: list[Check]
    facts: list[Fact]
    lineage: Markup
    json_ld: Markup
    """The table as a schema.org ``Dataset``."""
    before: str
    after: str
    """The marts before and after it by name; empty at the ends."""

    @property
    def to_look_at(self) -> list[Check]:
        return [check for check in self.checks if check.status in BAD]

    @property
    def status(self) -> str:
        """The worst status of its checks."""
        return worst(self.checks)

    @property
    def changed_at(self) -> datetime | None:
        return max((s.changed_at for s in self.terms.sources if s.changed_at), default=None)

    @property
    def next_expected(self) -> DatasetState | None:
        """The source that is due first."""
        due = [(source.expected[1], source) for source in self.terms.sources if source.expected]
        return min(due, key=lambda each: each[0])[1] if due else None

    @property
    def late(self) -> list[DatasetState]:
        return [source for source in self.terms.sources if source.timeliness == "late"]


def worst(checks: Iterable[Check]) -> str:
    """``pass`` where every check that ran did."""
    statuses = {check.status for check in checks}
    for status in (*BAD, "pass"):
        if status in statuses:
            return status
    return NOT_RUN


def render_site(
    out: Path,
    connection: Connection,
    artifacts: Artifacts,
    marts: list[Mart],
    states: Mapping[str, DatasetState],
    now: datetime,
    site_url: str = "",
) -> int:
    """Write every page of our own and the downloads.

    Args:
        out: the site's directory; pages of others in it stay.
        connection: an open warehouse.
        artifacts: of the build that made its marts.
        marts: of the project.
        states: of the datasets, by id.
        now: UTC.
        site_url: where the site will be served, with a slash at its end; empty where it is not
            known, and then there is neither a sitemap nor a canonical address.

    Returns:
        How many pages.
    """
    is_synthetic = any(load["is_synthetic"] for state in states.values() for load in state.loads)
    facts = read_facts((DOCUMENTS / "data-quality.md").read_text(encoding="utf-8"))
    files = out / "data" / "files"
    files.mkdir(parents=True, exist_ok=True)
    relation = artifacts.manifest.relation("dim_college")
    colleges = search.colleges_of(connection, relation)
    college_names = {college_id: name for college_id, name, _ in colleges}
    mart_names = [mart.name for mart in marts]
    mart_pages = []
    for mart, before, after in zip(
        marts, ["", *mart_names[:-1]], [*mart_names[1:], ""], strict=True
    ):
        terms = Terms(tuple(states[dataset_id] for dataset_id in mart.datasets))
        written, sample = downloads.write(
            connection,
            mart,
            terms,
            files,
            exported_at=now,
            is_synthetic=is_synthetic,
            college_names=college_names,
        )
        mart_pages.append(
            MartPage(
                mart=mart,
                terms=terms,
                downloads=written,
                sample=sample,
                checks=[check for check in artifacts.checks if mart.node in check.nodes],
                facts=facts_of(mart, facts, artifacts),
                lineage=graph.draw(mart, artifacts, frozenset(mart_names)),
                json_ld=_json_ld(mart, terms, written, now, site_url),
                before=before,
                after=after,
            )
        )
    problems = sorted(
        (check for check in artifacts.checks if check.status in BAD),
        key=lambda check: (BAD.index(check.status), check.name),
    )
    documents = _documents()
    has_dashboard = (out / "dashboard" / "index.html").exists()
    write = _Writer(
        out,
        is_synthetic=is_synthetic,
        built_at=now,
        last_build=artifacts.last_build,
        has_dashboard=has_dashboard,
        site_url=site_url,
        states=states,
        marts={page.mart.name: page for page in mart_pages},
        documents=documents,
        bad=BAD,
        evidence=evidence(connection, problems),
        loads_mart="fct_source_load",
    )
    summary: dict[str, Any] = {
        "tests": Counter(c.status for c in artifacts.checks if c.kind == "test"),
        "unit_tests": Counter(c.status for c in artifacts.checks if c.kind == "unit_test"),
        "problems": problems,
        "figures": _figures(connection, artifacts),
    }
    write("index.html", "home.fr.html.j2", language="fr", **summary)
    write("en/index.html", "home.en.html.j2", **summary)
    groups = _grouped(mart_pages)
    write("data/index.html", "data.html.j2", groups=groups)
    for page in mart_pages:
        write(f"data/{page.mart.name}.html", "mart.html.j2", page=page, groups=groups)
    write(
        "quality/index.html",
        "quality.html.j2",
        facts=[(section, list(rows)) for section, rows in groupby(facts, lambda f: f.section)],
        removals=_edits(connection, artifacts, "edit_type <> 'edited'"),
        runs=sorted({load["run_sequence"] for s in states.values() for load in s.loads}),
        **summary,
    )
    write(
        "changelog/index.html",
        "changelog.html.j2",
        changes=_college_changes(connection, artifacts),
        edits=_edits(connection, artifacts, "true"),
        shown_edits=SHOWN_EDITS,
    )
    write("docs/index.html", "documents.html.j2")
    for name, (title, _) in documents.items():
        write(f"docs/{name}.html", "document.html.j2", title=title, name=name)
    styles = (PROJECT_DIR / "dashboard" / "src" / "base.css", HERE / "style.css")
    (out / "style.css").write_bytes(b"\n".join(style.read_bytes() for style in styles))
    for name in ("favicon.svg", "language.js", "search.js"):
        shutil.copy(HERE / name, out / name)
    search.write_index(
        out,
        [*PAGES, *([("Dashboard", "dashboard/index.html#/?lang=en")] if has_dashboard else [])],
        marts,
        artifacts.other_models(mart_names),
        documents,
        colleges if has_dashboard else [],
    )
    if site_url:
        _write_sitemap(out, site_url, write.paths, now)
    return len(write.paths)


class _Writer:
    """Renders templates into files; every link in them is relative to the page."""

    def __init__(self, out: Path, **shared: Any) -> None:
        self._out = out
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "markdown": markdown.inline,
            "day": _day,
            "moment": _moment,
            "number": _number,
            "size": _size,
            "breakable": _breakable,
            "place": _place,
        }
        self._environment.globals.update(shared)
        self.paths: list[str] = []

    def __call__(self, path: str, template: str, language: str = "en", **context: Any) -> None:
        file = self._out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        root = "../" * path.count("/")
        text = self._environment.get_template(template).render(
            root=root, path=path, language=language, **context
        )
        file.write_text(_french_spaces(text) if language == "fr" else text, encoding="utf-8")
        self.paths.append(path)


def _french_spaces(text: str) -> str:
    """No-break spaces where French puts them, so that no line begins with a colon."""
    return re.sub(r"(?<=\S) (?=[:;!?»](?:[\s<]|$))", "\u00a0", text).replace("« ", "«\u00a0")


def _json_ld(
    mart: Mart, terms: Terms, written: list[downloads.Download], now: datetime, site_url: str
) -> Markup:
    content: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": mart.name,
        "description": mart.description,
        "inLanguage": ["en", "fr"],
        "isAccessibleForFree": True,
        "dateModified": f"{terms.extracted_at or now:%Y-%m-%d}",
        "creator": {"@type": "Organization", "name": "paris-colleges"},
        "isBasedOn": [source.url for source in terms.sources],
        "variableMeasured": [column.name for column in mart.columns],
        "distribution": [
            {
                "@type": "DataDownload",
                "name": download.path.name,
                "contentUrl": f"{site_url + 'data/' if site_url else ''}files/{download.path.name}",
                "encodingFormat": "text/csv"
                if download.path.suffix == ".csv"
                else "application/vnd.apache.parquet",
            }
            for download in written
        ],
    }
    if terms.licence_url:
        content["license"] = terms.licence_url
    # Within JSON, < stands in strings only: it must not end the script.
    return Markup(json.dumps(content, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704


def _write_sitemap(out: Path, site_url: str, paths: Iterable[str], now: datetime) -> None:
    urls = "".join(
        f"<url><loc>{escape(site_url + path)}</loc><lastmod>{now:%Y-%m-%d}</lastmod></url>\n"
        for path in paths
    )
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )


def _day(value: datetime | date | None, language: str = "en") -> str:
    if value is None:
        return "jamais" if language == "fr" else "never"
    shown = f"{value:%d/%m/%Y}" if language == "fr" else f"{value:%Y-%m-%d}"
    return Markup('<time datetime="{}">{}</time>').format(f"{value:%Y-%m-%d}", shown)


def _moment(value: datetime, language: str = "en") -> str:
    between = " à " if language == "fr" else " "
    return Markup("{}{}{} UTC").format(_day(value, language), between, f"{value:%H:%M}")


def _number(value: int) -> str:
    # a narrow no-break space, as French and ISO 80000 group thousands
    return f"{value:,}".replace(",", "\u202f")


def _size(value: int) -> str:
    text = f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{max(1, round(value / 1e3))} kB"
    return text.replace(" ", "\u00a0")


def _breakable(name: str) -> Markup:
    """A name in snake case that may go on in the next line after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _place(value: str | None) -> str | None:
    """A point, which marts write longitude first, as people write it; any other text as it is."""
    point = re.fullmatch(r"(-?\d+\.\d+), (-?\d+\.\d+)", value or "")
    if not point:
        return value
    longitude, latitude = map(float, point.groups())
    return f"{latitude:.5f}°\u00a0N, {longitude:.5f}°\u00a0E"


def _grouped(pages: list[MartPage]) -> list[tuple[str, list[MartPage]]]:
    groups: dict[str, list[MartPage]] = {
        heading: [] for heading in (*MART_GROUPS.values(), OTHER_MARTS, LEGACY_MARTS)
    }
    for page in pages:
        prefix = page.mart.name.partition("_")[0]
        heading = LEGACY_MARTS if page.mart.is_legacy else MART_GROUPS.get(prefix, OTHER_MARTS)
        groups[heading].append(page)
    return [(heading, found) for heading, found in groups.items() if found]


def _documents() -> dict[str, tuple[str, Markup]]:
    """Documents of ``docs/`` and the changelog of the models: name → title and content."""
    paths = [*sorted(DOCUMENTS.glob("*.md")), PROJECT_DIR / "CHANGELOG.md"]
    names = {path.name for path in paths}
    return {
        path.stem: markdown.page(path.read_text(encoding="utf-8"), partial(_resolve, names))
        for path in paths
    }


def _resolve(names: set[str], target: str) -> str | None:
    """Where a link between documents leads; None for one into the repository."""
    file, _, fragment = target.partition("#")
    if file not in names:
        return None
    return f"{Path(file).stem}.html" + (f"#{fragment}" if fragment else "")


def _figures(connection: Connection, artifacts: Artifacts) -> dict[str, Any]:
    """The first answers, for the landing page."""
    relation = artifacts.manifest.relation
    total, open_ = connection.rows(
        f"select count(*), count_if(is_open) from {relation('dim_college')}"  # noqa: S608
    )[0]
    years, first, last, rows = connection.rows(
        "select count(distinct school_year), min(school_year), max(school_year), count(*)"  # noqa: S608
        f" from {relation('fct_college_school_year')} where not is_partial_school_year"
    )[0]
    changes = connection.rows(
        "select count(*)"  # noqa: S608
        f" from {relation('fct_college_change')} where change_type <> 'respelled'"
    )[0][0]
    return {
        "colleges": total,
        "open": open_,
        "school_years": years,
        "first_school_year": first,
        "last_school_year": last,
        "college_school_years": rows,
        "changes": changes,
    }


def _college_changes(connection: Connection, artifacts: Artifacts) -> list[dict[str, Any]]:
    """Changes between school years, latest first, with the collège's name."""
    names = ["school_year", "college_name", "change_type", "from_value", "to_value", "moved_m"]
    relation = artifacts.manifest.relation
    return [
        dict(zip(names, row, strict=True))
        for row in connection.rows(
            "select events.school_year, colleges.display_name, events.change_type,"  # noqa: S608
            " events.from_value, events.to_value, events.moved_m"
            f" from {relation('fct_college_change')} as events"
            f" left join {relation('dim_college')} as colleges"
            " on events.college_id = colleges.college_id"
            " order by events.school_year desc, colleges.display_name, events.change_type"
        )
    ]


def _edits(
    connection: Connection, artifacts: Artifacts, condition: str
) -> list[tuple[tuple[datetime, str, str], list[dict[str, Any]]]]:
    """What portals did to published records, by pull, dataset and type; latest first."""
    names = ["detected_at", "dataset", "edit_type", "record_key", "field", "old_value", "new_value"]
    rows = [
        dict(zip(names, map(utc, row), strict=True))
        for row in connection.rows(
            f"select {', '.join(names)} from {artifacts.manifest.relation('fct_portal_edit')}"  # noqa: S608
            f" where {condition}"
            " order by detected_at desc, dataset, edit_type, record_key, field"
        )
    ]
    grouped = groupby(rows, lambda row: (row["detected_at"], row["dataset"], row["edit_type"]))
    return [(key, list(group)) for key, group in grouped]
