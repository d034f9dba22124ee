"""The numbers of the site's pages, beside what SQL on the warehouse gives for each.

What is not in the warehouse is compared with what it comes from: counts of tests with dbt's own
results, sizes with the files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb

from docs_site.artifacts import Artifacts
from docs_site.marts import Mart
from ingestion.registry import registry

SAMPLE_ROWS = 10
CELL = 60
"""Characters of a sample's cell; more is cut."""
BAD = {"error", "fail", "runtime error", "warn"}

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
        self.paragraphs: dict[str, list[str]] = {}
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
        elif tag == "p":
            self._into = self.paragraphs.setdefault(self.section, [])
        elif tag == "summary":
            self._into = self.summaries.setdefault(self.section, [])
        else:
            return
        if tag not in {"section", "tr"} and self._into is not None:
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "dt", "dd", "summary", "p"}:
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


def assert_numbers(
    out: Path, warehouse: Path, artifacts: Artifacts, marts: Mapping[str, Mart], results: Path
) -> None:
    """Every count, figure, volume, size and sample row that the pages of ours show.

    Args:
        out: the built site.
        warehouse: what it was built from.
        artifacts: where the tables are.
        marts: by name.
        results: the directory with dbt's ``run_results.json`` and ``manifest.json``.

    Raises:
        AssertionError: one of them is not what SQL gives.
    """
    tests = _Tests(results)
    with closing(duckdb.connect(warehouse, read_only=True)) as database:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return database.execute(query).fetchall()

        _home(out, rows, tests)
        quality = _Page(out / "quality" / "index.html")
        counts = _Counts(rows, artifacts)
        counts.compare(quality.lines("counts")[1:], quality.lines("freshness")[1:])
        listed = {row[0]: row for row in _Page(out / "data" / "index.html").lines("")}
        for name, mart in marts.items():
            page = _Page(out / "data" / f"{name}.html")
            _mart(page, out, rows, mart, tests, listed[name])
            updates = page.lines("updates")
            end = next((n for n, row in enumerate(updates) if "Portal’s own count" in row), 0)
            counts.compare(updates[end + 1 :], updates[1:end])
        _volumes(quality, rows, counts.titles)
        assert tests.told(quality.paragraphs["failures"]) == (
            tests.by_kind("test"),
            tests.by_kind("unit_test"),
        )

        assert f" after {tests.seconds} s. " in _plain(" ".join(quality.paragraphs["failures"]))

        changelog = _Page(out / "changelog" / "index.html")
        events = [[*row[:3], row[5]] for row in changelog.lines("school-years")[1:]]
        assert sorted(events) == sorted([_plain(text) for text in row] for row in rows(CHANGES))
        edits = sorted(f"{n} {edit_type}" for edit_type, n in rows(EDITS))
        groups = [_plain(text).split(" · ")[-1].split() for text in changelog.summaries["portals"]]
        assert sorted(f"{words[0]} {words[-1]}" for words in groups) == edits
        gone = [_plain(text).split(" · ")[-1] for text in quality.summaries.get("removals", [])]
        assert sorted(gone) == [edit for edit in edits if not edit.endswith("edited")]


Query = Callable[[str], list[tuple[Any, ...]]]


class _Tests:
    """dbt's tests and what became of each, read from its files without the site's own code."""

    def __init__(self, results: Path) -> None:
        manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
        run = json.loads((results / "run_results.json").read_text(encoding="utf-8"))
        status = {result["unique_id"]: result["status"] for result in run["results"]}
        self.seconds = round(run["elapsed_time"])
        self._nodes = {
            id_: node
            for id_, node in (manifest["nodes"] | manifest["unit_tests"]).items()
            if node["resource_type"] in {"test", "unit_test"} or id_ in status
        }
        self.status = {id_: status.get(id_, "not run") for id_ in self._nodes}

    def by_kind(self, kind: str) -> dict[str, int]:
        return dict(
            Counter(
                self.status[id_] for id_, n in self._nodes.items() if n["resource_type"] == kind
            )
        )

    def of(self, mart: str) -> Counter[str]:
        """How many of a mart's checks ended how: its tests, its unit tests, its own build."""
        return Counter(
            self.status[id_]
            for id_, node in self._nodes.items()
            if mart == id_
            or (
                node["resource_type"] in {"test", "unit_test"}
                and mart in node["depends_on"]["nodes"]
            )
        )

    @staticmethod
    def told(paragraphs: list[str]) -> tuple[dict[str, int], dict[str, int]]:
        """What the quality page says of data tests and of unit tests."""
        text = next(_plain(p) for p in paragraphs if "Data tests: " in p)
        data, units = text.split("Data tests: ")[1].split(". Unit tests (")
        units = units.split("): ")[1].split(". ")[0]
        said = [part.split(" ", 1) for part in data.split(", ")]
        said_units = [part.split(" ", 1) for part in units.split(", ")]
        return {status: int(n) for n, status in said}, {s: int(n) for n, s in said_units}


def _home(out: Path, rows: Query, tests: _Tests) -> None:
    problems = sum(status in BAD for status in tests.status.values())
    for home in ("index.html", "en/index.html"):
        page = _Page(out / home)
        facts = [_plain(fact).split() for fact in page.facts[1:10:2]]
        assert f" UTC, {tests.seconds} s." in _plain(" ".join(page.paragraphs[""])), home
        expected = [*rows(HOME)[0], tests.by_kind("test")["pass"]]
        assert [fact[0] for fact in facts] == [str(number) for number in expected], home
        assert int(facts[-1][1]) == problems if problems else facts[-1][1:] == [], home


def _mart(
    page: _Page, out: Path, rows: Query, mart: Mart, tests: _Tests, listed: list[str]
) -> None:
    """What a table's page, and its line in the list of all, say of rows, files and tests."""
    name = mart.name
    number = str(rows(f"select count(*) from marts.{name}")[0][0])
    assert (listed[2], page.fact("Rows")) == (number, number), name
    for file, count, size, *_ in page.lines("files")[1:]:
        assert (count, size) == (number, _size((out / "data" / "files" / file).stat().st_size)), (
            file
        )
    columns = [column.name for column in mart.columns]
    order = ", ".join(mart.key) or "1"
    first = rows(
        f"select {', '.join(columns)} from marts.{name} order by {order} limit {SAMPLE_ROWS}"
    )
    sample = page.lines("sample")
    assert sample[:1] == ([columns] if first else []), name
    assert sample[1:] == [[_cell(value) for value in row] for row in first], name
    if first:
        (note,) = (text for text in page.paragraphs["sample"] if "order of the key" in text)
        assert _plain(note).startswith(f"The first {len(first)} of {number} rows"), name

    ended = tests.of(mart.node)
    bad = sum(ended[status] for status in BAD)
    (said,) = (_plain(text) for text in page.paragraphs["tests"] if " to look at in " in text)
    assert said.startswith(f"{ended['pass']} passed and {bad} to look at"), (name, said, ended)
    idle = ended["not run"]
    assert (f"; {idle} did not run" in said) == (idle > 0), (name, said, ended)
    assert [_plain(text) for text in page.summaries["tests"]] == [
        f"All {sum(ended.values())} tests"
    ]
    told = page.fact("Tests").split(" ", 1)[1]
    assert told == f"{ended['pass']} passed" + f", {bad} to look at" * (bad > 0), name


class _Counts:
    """Records of each dataset: what the portal said, what arrived, what each later stage holds."""

    def __init__(self, rows: Query, artifacts: Artifacts) -> None:
        self.titles = {dataset.dataset_id: dataset.title for dataset in registry().values()}
        self._wanted: dict[str, list[str]] = {}
        for dataset, expected, received, kept_out, present in rows(LATEST):
            raw = (
                "(select arg_max(is_withdrawn, run_sequence) as is_withdrawn from"
                f" {artifacts.source(dataset)['relation_name']} group by record_key)"
            )
            staging = artifacts.staging_relation(dataset)
            held = [
                rows(f"select count(*) from {relation} where not is_withdrawn")[0][0]
                for relation in (raw, staging)
            ]
            numbers = [expected, received, kept_out, present, *held]
            self._wanted[_plain(self.titles[dataset])] = [str(number) for number in numbers]

    def compare(self, reconciled: list[list[str]], freshness: list[list[str]]) -> None:
        """Rows of the two tables, as the quality page and every table's page show them."""
        for title, _, *counts, _ in reconciled:
            if title in self._wanted:
                assert counts == self._wanted[title], title
            else:
                assert set(counts) <= {"–", "0"}, title
        for title, *_, records in freshness:
            assert records == self._wanted.get(title, ["–"] * 4)[3], title


def _volumes(quality: _Page, rows: Query, titles: Mapping[str, str]) -> None:
    head, *lines = quality.lines("volumes")
    volumes = {(row[0], cell): row[place] for row in lines for place, cell in enumerate(head)}
    for dataset, run, received, *changes in rows(LOADS):
        signs = [f"{s}{n}" for s, n in zip("+~↺−", changes, strict=True) if n]
        volume = volumes[_plain(titles[dataset]), f"Run {run}"]
        assert volume == " ".join([str(received), *(signs or ["unchanged"])]), (dataset, run)


def _size(size: int) -> str:
    """Bytes as the pages write them: thousands up to a million."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if hasattr(value, "isoformat"):
        text = value.isoformat() + "Z" * hasattr(value, "hour")
    if text.startswith(("=", "+", "-", "@")) and isinstance(value, str):
        text = f"'{text}"
    return _plain(text if len(text) <= CELL + 5 else text[: CELL - 1] + "…")


def _plain(text: str) -> str:
    return " ".join(text.replace("\u202f", "").split())
