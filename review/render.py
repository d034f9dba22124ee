"""The report as Markdown for a GitHub comment: what a reviewer must act on comes first.

Names, messages and values come from the code and data under review, so none of them is trusted
to be harmless. They stand in code, where GitHub reads no mention, formula, reference, link or tag,
and what could end the code or a table's cell goes out as an HTML entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from review.build import Problem, Side
from review.compare import Comparison, Coverage, RowCount, ValueDiff

LIMIT = 60_000
"""Characters; GitHub takes 65 536, and the comment adds a little."""
SHOWN = 20
"""Rows of a table, items of a list; then it says how many more."""
SHOWN_NODES = 40
CELL = 80

_DANGEROUS = frozenset("`|$@\\")
"""In a code span: what ends it, ends a cell, or could be read as a formula or a mention."""
_TESTS = frozenset({"test", "unit_test"})


@dataclass(frozen=True)
class Report:
    """Everything that is said, for people and for machines."""

    base_name: str
    base_commit: str
    head_commit: str
    raw: str
    """Which raw data both were built from, in words."""
    base: Side | None
    base_missing: str
    """Why there is nothing to compare with; empty where there is."""
    pr: Side
    comparison: Comparison
    seconds: dict[str, float] = field(default_factory=dict)
    artifacts_url: str = ""
    head_name: str = ""
    """Its branch; empty where nobody named it."""

    @property
    def is_failed(self) -> bool:
        return bool(self.pr.problems)


def verdict(report: Report) -> str:
    """One line: what to do about it."""
    tests = [problem for problem in report.pr.problems if problem.kind in _TESTS]
    builds = [problem for problem in report.pr.problems if problem.kind not in _TESTS]
    if builds:
        skipped = (
            f", {len(report.pr.skipped)} not built or tested for it" if report.pr.skipped else ""
        )
        return f"❌ Does not build: {_count(len(builds), 'error')}{skipped}"
    found = report.comparison
    parts = []
    if tests:
        parts.append(f"{_count(len(tests), 'test')} {'fails' if len(tests) == 1 else 'fail'}")
    if found.contracts:
        parts.append(f"contract of {_count(len(found.contracts), 'mart')} broken")
    if found.keys_lost:
        parts.append(f"{_count(len(found.keys_lost), 'model')} lost the tested key")
    if found.undocumented:
        parts.append(f"{_count(len(found.undocumented), 'mart column')} without description")
    if lost := sum(1 for diff in found.values if diff.is_mart and diff.lost):
        parts.append(f"{_count(lost, 'mart')} lost rows")
    mark = "❌" if tests else "⚠️" if parts else "✅"
    if report.base_missing:
        parts.append("nothing to compare with" if parts else "builds; nothing to compare with")
    elif found.is_same:
        parts.append(f"no difference in {found.tables_compared} tables")
    elif changed := sum(1 for diff in found.values if diff.is_mart and diff.is_different):
        parts.append(f"data of {_count(changed, 'mart')} changed")
    elif any(diff.is_different for diff in found.values):
        parts.append("every mart has the same rows, tables before them do not")
    else:
        parts.append(f"same data in {found.tables_compared} tables")
    return f"{mark} {_sentence(parts)}"


def render(report: Report) -> str:
    """The whole report; sections that do not fit are left out, and it says so."""
    found = report.comparison
    sections = [
        _head(report),
        _attention(report),
        _lineage(found),
        _rows(report),
        _columns(found),
        _values(found),
        _coverage(found),
        _readers(found),
        _times(report),
        _foot(report),
    ]
    body, left_out = "", 0
    for section in filter(None, sections):
        if len(body) + len(section) > LIMIT:
            left_out += 1
        else:
            body += section + "\n"
    if left_out:
        body += (
            f"{_count(left_out, 'section')} did not fit into a comment: see `report.json` in the "
            "artifact `review`.\n"
        )
    return body


def code(text: object, limit: int = CELL) -> str:
    """Text of the code or data under review as inline code, harmless inside a table too."""
    flat = " ".join(str(text).split())
    if len(flat) > limit:
        flat = flat[: limit - 1] + "…"
    if flat and flat.isprintable() and not _DANGEROUS & set(flat):
        return f"`{flat}`"
    return _html_code(flat)


def block(text: str, lines: int = 20, width: int = 300) -> str:
    """A message of several lines, harmless; to stand in a list."""
    shown = [line[:width].rstrip() for line in text.splitlines() if line.strip()]
    more = [f"… and {len(shown) - lines} more lines"] if len(shown) > lines else []
    # Nothing but tags and entities is read inside <pre>, so the rest stays readable on a terminal.
    safe = [re.sub(r"[&<>`$@|]", lambda c: f"&#{ord(c[0])};", _visible(line)) for line in shown]
    return "  <pre>\n  " + "\n  ".join([*safe[:lines], *more]) + "\n  </pre>"


def percent(base: int, pr: int) -> str:
    """Change from ``base`` to ``pr``; never a zero for what is not zero."""
    if base == pr:
        return "0 %"
    if base == 0:
        return "was empty"
    change = (pr - base) / base * 100
    size = f"{abs(change):,.1f} %" if abs(change) >= 0.05 else "under 0.1 %"
    return f"{'+' if change > 0 else '−'}{size}"


def _html_code(text: str) -> str:
    """Inline code where Markdown is not read, and for text that would break out of a span."""
    signs = (
        c if c.isalnum() or c == " " or ord(c) > 127 else f"&#{ord(c)};" for c in _visible(text)
    )
    return f"<code>{''.join(signs)}</code>"


def _visible(text: str) -> str:
    """Without controls and what turns the direction of text."""
    return "".join(c if c.isprintable() else "�" for c in text.expandtabs())


def _head(report: Report) -> str:
    base = f"{code(report.base_name)} ({code(report.base_commit[:10])})"
    head = code(report.head_commit)
    if report.head_name:
        head = f"{code(report.head_name)} ({head})"
    lines = [
        f"## {verdict(report)}",
        "",
        f"{base} → {head}, both built from {report.raw}.",
    ]
    if report.base_missing:
        lines += ["", "- **Nothing to compare with**", block(report.base_missing)]
    return "\n".join(lines) + "\n"


def _attention(report: Report) -> str:
    found, pr = report.comparison, report.pr
    lines: list[str] = []
    for problem in pr.problems[:SHOWN]:
        lines.append(f"- **{_failed(problem)}** {code(problem.name, 120)} {_place(problem)}")
        lines.append(block(problem.message))
    lines += _more(len(pr.problems))
    if pr.skipped:
        lines.append(f"- Not built or tested because of that: {_list(pr.skipped)}")
    for model, broken in found.contracts.items():
        lines.append(f"- **Contract broken** {code(model)}: {_list(broken)}")
    if found.keys_lost:
        lines.append(f"- **Tested key lost** {_list(found.keys_lost)}")
    if found.undocumented:
        lines.append(f"- **No description** {_list(found.undocumented)}")
    for diff in found.values:
        if diff.is_mart and diff.lost:
            lines.append(f"- **Rows lost** {code(diff.name)}: {diff.lost:,}")
        if diff.is_mart and diff.not_compared:
            lines.append(f"- **Rows not compared** {code(diff.name)}: {diff.not_compared}")
    for time in found.times:
        if time.is_slower:
            lines.append(f"- **Slower** {code(time.name)}: {time.base_s:.1f} s → {time.pr_s:.1f} s")
    return "### Act on\n\n" + "\n".join(lines) + "\n" if lines else ""


def _failed(problem: Problem) -> str:
    kinds = {"test": "Test fails", "unit_test": "Unit test fails", "project": "Does not parse"}
    return kinds.get(problem.kind, "Does not build")


def _place(problem: Problem) -> str:
    if problem.file is None:
        return ""
    return "in " + code(f"{problem.file}:{problem.line}" if problem.line else problem.file, 120)


def _lineage(found: Comparison) -> str:
    if not found.nodes:
        return ""
    nodes = found.nodes[:SHOWN_NODES]
    ids = {node.id: f"n{number}" for number, node in enumerate(nodes)}
    lines = ["### Lineage of what changed", "", "```mermaid", "flowchart LR"]
    for node in nodes:
        label = f"{_label(node.name)}<br/>{_label(', '.join(node.marks))}"
        style = next((m for m in ("exposure", "removed", "new", "data") if m in node.marks), "same")
        box = f'(["{label}"])' if style == "exposure" else f'["{label}"]'
        lines.append(f"  {ids[node.id]}{box}:::{style}")
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in found.edges if a in ids and b in ids]
    lines += [
        "  classDef removed stroke:#c00,stroke-width:3px,stroke-dasharray:5",
        "  classDef new stroke:#080,stroke-width:3px",
        "  classDef data stroke:#b60,stroke-width:3px",
        "  classDef same stroke:#888",
        "  classDef exposure stroke:#06c",
        "```",
        "",
        "*data*: rows or columns differ. *SQL*, *macro*, *config*, *columns*: that was edited; "
        "without *data* the table is the same.",
    ]
    if len(found.nodes) > SHOWN_NODES:
        lines += ["", f"{len(found.nodes) - SHOWN_NODES} more are not drawn."]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    """For a Mermaid label: anything but a plain character could be syntax."""
    return re.sub(r"[^A-Za-z0-9_., -]", "?", text)[:CELL]


def _rows(report: Report) -> str:
    rows = report.comparison.rows
    if report.base_missing:
        shown = [[code(r.name), f"{r.pr:,}"] for r in rows if r.is_mart and r.pr is not None]
        return f"### Rows\n\n{_table(('mart', 'rows'), shown, ':-', '-:')}" if shown else ""
    different = [row for row in rows if row.base != row.pr]
    if not different:
        return ""
    header = ("table", "base", "PR", "change", "")
    cells = [_row_count(row) for row in different]
    table = _table(header, cells, ":-", "-:", "-:", "-:", "-:")
    same = _count(len(rows) - len(different), "other table")
    return f"### Rows\n\n{table}\n{same}: as many rows as before.\n"


def _row_count(row: RowCount) -> list[str]:
    name = code(row.name) + ("" if row.is_mart else " (no mart)")
    if row.base is None:
        return [name, "—", f"{row.pr:,}", "", "new"]
    if row.pr is None:
        return [name, f"{row.base:,}", "—", "", "removed"]
    change = row.pr - row.base
    signed = f"{'+' if change > 0 else '−'}{abs(change):,}"
    return [name, f"{row.base:,}", f"{row.pr:,}", signed, percent(row.base, row.pr)]


def _columns(found: Comparison) -> str:
    if not found.columns:
        return ""
    cells = [
        [
            code(change.model),
            change.kind,
            code(change.before) if change.before else "",
            code(change.after) if change.after else "",
        ]
        for change in found.columns
    ]
    return f"### Columns\n\n{_table(('table', 'column', 'base', 'PR'), cells)}"


def _values(found: Comparison) -> str:
    changed = [d for d in found.values if d.is_mart and d.is_different and not d.not_compared]
    if not changed:
        return ""
    cells = [
        [
            code(diff.name),
            ", ".join(code(column) for column in diff.key),
            f"{diff.lost:,}",
            f"{diff.added:,}",
            f"{diff.changed:,}",
            _changed_columns(diff),
        ]
        for diff in changed
    ]
    header = ("mart", "key", "rows lost", "added", "changed", "changed columns (rows)")
    lines = ["### Values", "", _table(header, cells, ":-", ":-", "-:", "-:", "-:", ":-")]
    for diff in sorted(changed, key=lambda d: (-d.lost, d.name))[:SHOWN]:
        lines += [f"<details><summary>Rows of {_html_code(diff.name)}</summary>", ""]
        for sample in diff.samples:
            column = f" {code(sample.column)}" if sample.column else ""
            lines.append(f"{sample.title.capitalize()}{column}:")
            rows = [[code(cell) for cell in row] for row in sample.rows]
            lines += ["", _table([code(name) for name in sample.header], rows)]
        lines += ["</details>", ""]
    return "\n".join(lines)


def _changed_columns(diff: ValueDiff) -> str:
    largest = sorted(diff.columns.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{code(column)} ({rows:,})" for column, rows in largest[:8])
    return shown + (f", {len(largest) - 8} more" if len(largest) > 8 else "")


def _coverage(found: Comparison) -> str:
    lines = []
    if found.tests_lost:
        lines.append(f"- **Tests lost** ({len(found.tests_lost)}): {_list(found.tests_lost, 160)}")
    if found.tests_gained:
        gained = _list(found.tests_gained, 160)
        lines.append(f"- Tests gained ({len(found.tests_gained)}): {gained}")
    if found.docs_base and found.docs and found.docs_base != found.docs:
        lines.append(f"- Descriptions: {_docs(found.docs_base)} → {_docs(found.docs)}")
    return "### Tests and descriptions\n\n" + "\n".join(lines) + "\n" if lines else ""


def _docs(coverage: Coverage) -> str:
    share = f" ({coverage.described / coverage.total:.1%})" if coverage.total else ""
    return f"{coverage.described:,} of {coverage.total:,}{share}"


def _readers(found: Comparison) -> str:
    lines = [
        f"- {kind} {code(name)}: {_list(via)}"
        for kind, readers in (("Exposure", found.exposures), ("Metric", found.metrics))
        for name, via in readers.items()
    ]
    if not lines:
        return ""
    shown = [*lines[: 2 * SHOWN], *_more(len(lines), 2 * SHOWN)]
    return "### Exposures and metrics affected\n\n" + "\n".join(shown) + "\n"


def _times(report: Report) -> str:
    times = report.comparison.times
    if not times or report.base_missing:
        return ""
    slowest = sorted(times, key=lambda time: -time.pr_s)[:10]
    cells = [
        [code(t.name), "—" if t.base_s is None else f"{t.base_s:.2f}", f"{t.pr_s:.2f}"]
        for t in slowest
    ]
    table = _table(("model", "base s", "PR s"), cells, ":-", "-:", "-:")
    base, pr = sum(time.base_s or 0 for time in times), sum(time.pr_s for time in times)
    return (
        f"<details><summary>Build time: {base:.1f} s → {pr:.1f} s over all models; "
        f"the slowest {len(cells)}</summary>\n\n{table}\n"
        "One build of a small sample: differences under two seconds say nothing.\n\n</details>\n"
    )


def _foot(report: Report) -> str:
    lines = []
    if report.artifacts_url:
        url = re.sub(r"[^\w:/.#?=&%-]", "", report.artifacts_url)
        lines.append(
            "dbt docs, column lineage and this report in full: artifact `review` of "
            f"[this run]({url})."
        )
    if report.pr.warnings:
        lines.append(f"Tests that warn: {_list(report.pr.warnings)}.")
    taken = ", ".join(f"{step} {s:.0f} s" for step, s in report.seconds.items())
    lines.append(f"<sub>make review: {taken}</sub>")
    return "\n\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *alignment: str) -> str:
    lines = [header, alignment or [":-"] * len(header), *rows[:SHOWN]]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + "".join(f"\n{line}\n" for line in _more(len(rows)))


def _list(names: Sequence[str], limit: int = CELL) -> str:
    shown = ", ".join(code(name, limit) for name in names[:SHOWN])
    return shown + (f", {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _more(count: int, shown: int = SHOWN) -> list[str]:
    return [f"… and {count - shown} more"] if count > shown else []


def _sentence(parts: Iterable[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
