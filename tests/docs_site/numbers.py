"""The numbers of the site's pages, beside what SQL on the warehouse gives for each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb

from docs_site.artifacts import Artifacts
from ingestion.registry import registry

CHANGES = """
    select changes.school_year, colleges.display_name, replace(change_type, '_', ' '),
        coalesce(cast(cast(round(moved_m) as integer) as varchar) || ' m', '')
    from marts.fct_college_change as changes
    inner join marts.dim_college as colleges using (college_id)
"""
EDITS = """
    select edit_type, count(*)
    from marts.fct_portal_edit
    group by edit_type, dataset, detected_at
"""
LATEST = """
    select dataset, rows_expected, rows_received, coalesce(rows_quarantined, 0) as kept_out,
        rows_present
    from marts.fct_source_load
    where status = 'finished'
    qualify row_number() over (partition by dataset order by run_sequence desc) = 1
"""
LOADS = """
    select dataset, run_sequence, rows_received,
        rows_new, rows_changed, rows_restored, rows_withdrawn
    from marts.fct_source_load
    where status = 'finished' and rows_received is not null
"""
HOME = """
    select
        (select count(*) from marts.dim_college),
        (select count(*) from marts.dim_college where is_open),
        (select count(distinct school_year) from marts.fct_college_school_year
            where not is_partial_school_year),
        (select count(*) from marts.fct_college_change where change_type <> 'respelled')
"""


class _Page(HTMLParser):
    """The text of a page's table cells, terms and summaries, by the section they stand in."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.section = ""
        self.rows: dict[str, list[list[str]]] = {}
        self.facts: list[str] = []
        self.summaries: dict[str, list[str]] = {}
        self._into: list[str] | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.section = dict(attrs).get("id") or self.section
        elif tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        elif tag in {"td", "th"}:
            self._into = self.rows[self.section][-1]
        elif tag in {"dt", "dd"}:
            self._into = self.facts
        elif tag == "br":
            self.handle_data(" ")
            return
        elif tag == "summary":
            self._into = self.summaries.setdefault(self.section, [])
        else:
            return
        if tag not in {"section", "tr"} and self._into is not None:
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "dt", "dd", "summary"}:
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into:
            self._into[-1] += data

    def fact(self, term: str) -> str:
        """What stands beside a term."""
        return _plain(self.facts[self.facts.index(term) + 1])

    def lines(self, section: str) -> list[list[str]]:
        """Rows of the section's tables, spaces of any kind as one, digits ungrouped."""
        return [[_plain(cell) for cell in row] for row in self.rows.get(section, [])]


def assert_numbers(out: Path, warehouse: Path, artifacts: Artifacts, marts: Iterable[str]) -> None:
    """Every count, figure and volume that the pages of ours show.

    Raises:
        AssertionError: one of them is not what SQL gives.
    """
    with closing(duckdb.connect(warehouse, read_only=True)) as database:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return database.execute(query).fetchall()

        def count(relation: str) -> int:
            return int(rows(f"select count(*) from {relation}")[0][0])

        for home in ("index.html", "en/index.html"):
            tiles = [fact.split()[0] for fact in map(_plain, _Page(out / home).facts[1:8:2])]
            assert tiles == [str(number) for number in rows(HOME)[0]], home

        listed = {row[0]: row[2] for row in _Page(out / "data" / "index.html").lines("")}
        for name in marts:
            page = _Page(out / "data" / f"{name}.html")
            number = str(count(f"marts.{name}"))
            assert (listed[name], page.fact("Rows")) == (number, number), name
            assert {row[1] for row in page.lines("files")[1:]} == {number}, name

        quality = _Page(out / "quality" / "index.html")
        titles = {dataset.dataset_id: dataset.title for dataset in registry().values()}
        latest = {titles[dataset]: figures for dataset, *figures in rows(LATEST)}
        for title, _, *counts, _ in quality.lines("counts")[1:]:
            expected, received, kept_out, present = latest.get(title, (None,) * 4)
            if expected is None:
                assert set(counts) <= {"–", "0"}, title
                continue
            dataset = next(id_ for id_, name in titles.items() if name == title)
            raw = count(
                "(select arg_max(is_withdrawn, run_sequence) as is_withdrawn from"
                f" {artifacts.source(dataset)['relation_name']} group by record_key)"
                " where not is_withdrawn"
            )
            staging = count(f"{artifacts.staging_relation(dataset)} where not is_withdrawn")
            wanted = [expected, received, kept_out, present, raw, staging]
            assert counts == [str(number) for number in wanted], title
        for title, *_, records, _, _ in quality.lines("freshness")[1:]:
            assert records == str(latest[title][3] if title in latest else "–"), title

        head, *lines = quality.lines("volumes")
        volumes = {(row[0], cell): row[place] for row in lines for place, cell in enumerate(head)}
        for dataset, run, received, *changes in rows(LOADS):
            signs = [f"{s}{n}" for s, n in zip("+~↺−", changes, strict=True) if n]
            volume = volumes[titles[dataset], f"Run {run}"]
            assert volume == " ".join([str(received), *(signs or ["unchanged"])]), (dataset, run)

        changelog = _Page(out / "changelog" / "index.html")
        events = [[*row[:3], row[5]] for row in changelog.lines("school-years")[1:]]
        assert sorted(events) == sorted([_plain(text) for text in row] for row in rows(CHANGES))
        edits = sorted(f"{n} {edit_type}" for edit_type, n in rows(EDITS))
        groups = [_plain(text).split(" · ")[-1].split() for text in changelog.summaries["portals"]]
        assert sorted(f"{words[0]} {words[-1]}" for words in groups) == edits


def _plain(text: str) -> str:
    return " ".join(text.replace("\u202f", "").split())
