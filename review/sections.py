"""The sections of the report that show what differs, each from what the comparison found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from review.findings import Comparison, Coverage, NewTable, RowCount, ValueDiff
from review.markdown import (
    CELL,
    SHOWN,
    code,
    counted,
    html_code,
    listed,
    more,
    percent,
    table,
)
from review.report import Report

SHOWN_NODES = 40


def definitions(found: Comparison) -> str:
    """Checks and definitions, before → after; what somebody loses by first."""
    changed = [c for c in found.definitions if c.what != "new"]
    new = [f"{c.kind} {c.name}" for c in found.definitions if c.what == "new"]
    if not found.definitions:
        return ""
    cells = [
        [
            ("⚠️ " if change.loses else "") + change.kind,
            code(change.name, 160),
            change.what,
            code(change.before, 300) if change.before else "",
            code(change.after, 300) if change.after else "",
        ]
        for change in changed
    ]
    text = table(("what", "name", "part", "base", "PR"), cells) if cells else ""
    if new:
        text += f"\nNew: {listed(new, 160)}\n"
    return f"### Checks and definitions\n\n{text}"


def new_tables(found: Comparison) -> str:
    parts = [_new_table(new) for new in found.new_tables]
    return "### New tables\n\n" + "\n".join(parts) if parts else ""


def _new_table(new: NewTable) -> str:
    kind = "mart" if new.is_mart else "not a mart"
    lines = [
        f"{code(new.name)} ({kind}): {counted(new.rows, 'row')}, reads {listed(new.reads)}",
        "",
        table(
            ("column", "type", "null"),
            [
                [code(name), data_type.lower(), f"{nulls / new.rows:.0%}" if new.rows else "—"]
                for name, data_type, nulls in new.columns
            ],
            ":-",
            ":-",
            "-:",
        ),
        f"<details><summary>First rows of {html_code(new.name)}</summary>",
        "",
        table(
            [code(name) for name, _, _ in new.columns],
            [[code(cell, 40) for cell in row] for row in new.sample],
        ),
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def lineage(found: Comparison) -> str:
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


def rows(report: Report) -> str:
    rows = report.comparison.rows
    if report.base_missing:
        shown = [[code(r.name), f"{r.pr:,}"] for r in rows if r.is_mart and r.pr is not None]
        return f"### Rows\n\n{table(('mart', 'rows'), shown, ':-', '-:')}" if shown else ""
    different = [row for row in rows if row.base != row.pr]
    if not different:
        return ""
    header = ("table", "base", "PR", "change", "")
    cells = [_row_counts(row) for row in different]
    text = table(header, cells, ":-", "-:", "-:", "-:", "-:")
    same = counted(len(rows) - len(different), "other table")
    return f"### Rows\n\n{text}\n{same}: as many rows as before.\n"


def _row_counts(row: RowCount) -> list[str]:
    name = code(row.name) + ("" if row.is_mart else " (no mart)")
    if row.base is None:
        return [name, "—", f"{row.pr:,}", "", "new"]
    if row.pr is None:
        return [name, f"{row.base:,}", "—", "", "removed"]
    change = row.pr - row.base
    signed = f"{'+' if change > 0 else '−'}{abs(change):,}"
    return [name, f"{row.base:,}", f"{row.pr:,}", signed, percent(row.base, row.pr)]


def columns(found: Comparison) -> str:
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
    return f"### Columns\n\n{table(('table', 'column', 'base', 'PR'), cells)}"


def values(found: Comparison) -> str:
    changed = [
        d
        for d in found.values
        if (d.is_mart or d.samples) and d.is_different and not d.not_compared
    ]
    if not changed:
        return ""
    cells = [
        [
            code(diff.name),
            ", ".join(code(column) for column in diff.key),
            f"{diff.lost:,}",
            f"{diff.added:,}",
            f"{diff.changed:,}",
            changed_columns(diff),
        ]
        for diff in changed
    ]
    header = ("table", "key", "rows lost", "added", "changed", "changed columns (rows)")
    lines = ["### Values", "", table(header, cells, ":-", ":-", "-:", "-:", "-:", ":-")]
    for diff in sorted(changed, key=lambda d: (-d.lost, d.name))[:SHOWN]:
        lines += [f"<details><summary>Rows of {html_code(diff.name)}</summary>", ""]
        for sample in diff.samples:
            column = f" {code(sample.column)}" if sample.column else ""
            lines.append(f"{sample.title.capitalize()}{column}:")
            rows = [[code(cell) for cell in row] for row in sample.rows]
            lines += ["", table([code(name) for name in sample.header], rows)]
        lines += ["</details>", ""]
    return "\n".join(lines)


def changed_columns(diff: ValueDiff) -> str:
    largest = sorted(diff.columns.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(
        f"{code(column)} ({rows:,}{_size(diff, column)})" for column, rows in largest[:8]
    )
    return shown + (f", {len(largest) - 8} more" if len(largest) > 8 else "")


def _size(diff: ValueDiff, column: str) -> str:
    size = diff.largest.get(column)
    return f", by up to {size:.3g}" if size else ""


def coverage(found: Comparison) -> str:
    lines = []
    if found.docs_base and found.docs and found.docs_base != found.docs:
        lines.append(f"- Descriptions: {_docs(found.docs_base)} → {_docs(found.docs)}")
    return "### Descriptions\n\n" + "\n".join(lines) + "\n" if lines else ""


def _docs(coverage: Coverage) -> str:
    share = f" ({coverage.described / coverage.total:.1%})" if coverage.total else ""
    return f"{coverage.described:,} of {coverage.total:,}{share}"


def _reading(who: Mapping[str, Sequence[str]]) -> list[str]:
    """A table that reads the column, and which of its own columns are made of it."""
    said = [
        f"{code(table)} ({f'for {listed(made)}' if made else 'in a join, a filter or an order'})"
        for table, made in who.items()
    ]
    return [*said[:SHOWN], *([f"{len(said) - SHOWN} more"] if len(said) > SHOWN else [])]


def readers(found: Comparison, mentions: Mapping[str, Sequence[str]]) -> str:
    lines = [
        f"- {kind} {code(name)}: {listed(via)}"
        for kind, readers in (("Exposure", found.exposures), ("Metric", found.metrics))
        for name, via in readers.items()
    ]
    lines = [
        *(
            f"- {code(column, 120)} is read by {', '.join(_reading(who))}"
            for column, who in found.column_readers.items()
        ),
        *(
            f"- {code(column, 120)} is named in {listed(where)}"
            for column, where in mentions.items()
        ),
        *lines,
    ]
    limits = []
    if found.columns_not_followed:
        count = counted(found.columns_not_followed, "more column")
        limits.append(f"- Readers of {count} were not looked for.")
    if found.unread:
        limits.append(f"- The SQL of {listed(found.unread)} could not be read.")
    if not lines and not limits:
        return ""
    shown = [*lines[: 2 * SHOWN], *more(len(lines), 2 * SHOWN), *limits]
    return "### Who reads it\n\n" + "\n".join(shown) + "\n"
