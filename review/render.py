"""The report as Markdown: what a reviewer must act on first. The first line is verdict.py's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from review.findings import Comparison
from review.markdown import (
    SHOWN,
    block,
    code,
    counted,
    listed,
    more,
    table,
)
from review.problems import Problem
from review.report import Report
from review.sections import (
    changed_columns,
    columns,
    coverage,
    definitions,
    lineage,
    new_tables,
    readers,
    rows,
    values,
)
from review.verdict import verdict

LIMIT = 60_000
"""Characters; GitHub takes 65 536, and the comment adds a little."""


def render(reports: Sequence[Report]) -> str:
    """The whole report; sections that do not fit are left out, and it says so.

    Args:
        reports: of the same change; the first in full, those on other data with what differs there.
    """
    first, *others = reports
    found = first.comparison
    sections = [
        _head(first, others),
        _attention(first),
        *(_on_other_data(report) for report in others),
        definitions(found),
        new_tables(found),
        lineage(found),
        rows(first),
        columns(found),
        values(found),
        coverage(found),
        readers(found, first.mentions),
        _times(first),
        _foot(first),
    ]
    body, left_out = "", 0
    for section in filter(None, sections):
        if len(body) + len(section) > LIMIT:
            left_out += 1
        else:
            body += section + "\n"
    if left_out:
        body += (
            f"{counted(left_out, 'section')} did not fit into a comment: see `report.json` in the "
            "artifact `review`.\n"
        )
    return body


def annotated(reports: Sequence[Report]) -> Iterator[str]:
    """Workflow commands of GitHub: each failure at its file and line."""
    seen = set()
    for problem in (p for report in reports for p in report.pr.problems if not p.is_on_base):
        if problem.file is None or (problem.name, problem.file) in seen:
            continue
        seen.add((problem.name, problem.file))
        said = f"{_failed(problem)}: {problem.name}. {problem.hint or problem.message[:500]}"
        for sign, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            said = said.replace(sign, escaped)
        file = re.sub(r"[^\w./-]", "", problem.file)
        line = f",line={problem.line}" if problem.line else ""
        yield f"::error file={file}{line}::{said}"


def _head(report: Report, others: Sequence[Report]) -> str:
    base = f"{code(report.base_name)} ({code(report.base_commit[:10])})"
    head = code(report.head_commit)
    if report.head_name:
        head = f"{code(report.head_name)} ({head})"
    lines = [
        f"## {verdict(report)}",
        "",
        f"{base} → {head}, both built from {report.raw}.",
    ]
    lines += [f"On {other.raw}: {verdict(other)}." for other in others]
    if report.base_missing:
        lines += ["", "- **Nothing to compare with**", block(report.base_missing)]
    return "\n".join(lines) + "\n"


def _attention(report: Report) -> str:
    found, pr = report.comparison, report.pr
    lines: list[str] = []
    problems = sorted(pr.problems, key=lambda problem: problem.is_on_base)
    for problem in problems[:SHOWN]:
        lines += _problem(problem)
    lines += more(len(pr.problems))
    if pr.skipped:
        names = sorted(set(pr.skipped) & set(_models(report)))
        shown = f"{listed(names)} and their tests" if names else listed(pr.skipped)
        lines.append(f"- Not built or tested because of that: {shown}")
    for change in found.raw:
        lines.append(
            f"- **Raw data** {code(change.table)}: {change.lost:,} records lost, "
            f"{change.added:,} added ({change.base:,} → {change.pr:,}), by how it is loaded"
        )
    for model, broken in found.contracts.items():
        lines.append(f"- **Contract broken** {code(model)}: {listed(broken)}")
    if found.keys_lost:
        lines.append(f"- **Tested key lost** {listed(found.keys_lost)}")
    if found.undocumented:
        lines.append(f"- **No description** {listed(found.undocumented)}")
    if found.empty_columns:
        lines.append(f"- **Null in every row** {listed(found.empty_columns)}")
    if found.unstable:
        lines.append(
            f"- **Other at each build** {listed(found.unstable)}: the query, run twice on the same "
            "tables, gives other rows (a random number, the clock, or ties in an order)"
        )
    if found.without_effect:
        lines.append(
            f"- **No row shows it** {listed(found.without_effect)}: edited, and nothing comes out "
            f"otherwise of {report.raw}: either the rule is the same, or no row goes through it"
        )
    for diff in found.values:
        if diff.is_mart and diff.lost:
            lines.append(f"- **Rows lost** {code(diff.name)}: {diff.lost:,}")
        if diff.is_mart and diff.not_compared:
            lines.append(f"- **Rows not compared** {code(diff.name)}: {diff.not_compared}")
    for time in found.times:
        if time.is_slower:
            lines.append(f"- **Slower** {code(time.name)}: {time.base_s:.1f} s → {time.pr_s:.1f} s")
    return "### Act on\n\n" + "\n".join(lines) + "\n" if lines else ""


def _problem(problem: Problem) -> list[str]:
    was = " (on the base too)" if problem.is_on_base else ""
    lines = [f"- **{_failed(problem)}{was}** {code(problem.name, 120)} {_place(problem)}"]
    if problem.hint:
        lines.append(f"  {code(problem.hint, 400)}")
    lines.append(block(problem.message))
    if problem.sample:
        header, *rows = ([code(cell) for cell in row] for row in problem.sample)
        text = table(header, rows)
        lines += ["", *(f"  {line}" for line in text.splitlines()), ""]
    return lines


def _models(report: Report) -> list[str]:
    nodes = (report.pr.manifest or {"nodes": {}})["nodes"].values()
    return [n["name"] for n in nodes if n["resource_type"] in {"model", "seed", "snapshot"}]


def _on_other_data(report: Report) -> str:
    """What differs on other data: failures, rows and columns with changed values, no more."""
    found = report.comparison
    lines = [line for problem in report.pr.problems for line in _problem(problem)]
    for diff in found.values:
        if diff.is_mart and diff.is_different:
            shown = diff.not_compared or (
                f"{diff.lost:,} rows lost, {diff.added:,} added, {diff.changed:,} changed"
            )
            lines.append(f"- {code(diff.name)}: {shown} {changed_columns(diff)}".rstrip())
    if found.without_effect:
        lines.append(f"- **No row shows it** {listed(found.without_effect)}")
    return f"### On {report.raw}\n\n" + "\n".join(lines) + "\n" if lines else ""


def _failed(problem: Problem) -> str:
    kinds = {"test": "Test fails", "unit_test": "Unit test fails", "project": "Does not parse"}
    return kinds.get(problem.kind, "Does not build")


def _place(problem: Problem) -> str:
    if problem.file is None:
        return ""
    return "in " + code(f"{problem.file}:{problem.line}" if problem.line else problem.file, 120)


def _times(report: Report) -> str:
    times = report.comparison.times
    if not times or report.base_missing:
        return ""
    slowest = sorted(times, key=lambda time: -time.pr_s)[:10]
    cells = [
        [code(t.name), "—" if t.base_s is None else f"{t.base_s:.2f}", f"{t.pr_s:.2f}"]
        for t in slowest
    ]
    shown = table(("model", "base s", "PR s"), cells, ":-", "-:", "-:")
    base, pr = sum(time.base_s or 0 for time in times), sum(time.pr_s for time in times)
    return (
        f"<details><summary>Build time: {base:.1f} s → {pr:.1f} s over all models; "
        f"the slowest {len(cells)}</summary>\n\n{shown}\n"
        "One build of a small sample: differences under ten seconds say nothing.\n\n</details>\n"
    )


def _foot(report: Report) -> str:
    lines = []
    if entries := changelog(report.comparison):
        text = "\n".join(f"- {entry}" for entry in entries)
        lines.append(f"For `CHANGELOG.md`, to be put in your words:\n\n{text}")
    if report.artifacts_url:
        url = re.sub(r"[^\w:/.#?=&%-]", "", report.artifacts_url)
        names = {"static_index.html": "dbt docs", "docs.html": "dbt docs"}
        names["lineage.html"] = "column lineage"
        files = [names.get(name, name) for name in report.artifacts] + ["`report.json`"]
        lines.append(f"{', '.join(files)}: artifact `review` of [this run]({url}).")
    new = sorted(set(report.pr.warnings) - set(report.pr.warnings_on_base))
    old = sorted(set(report.pr.warnings) & set(report.pr.warnings_on_base))
    if new:
        lines.append(f"Tests that warn now: {listed(new)}.")
    if old:
        lines.append(f"Tests that warn as on the base: {listed(old)}.")
    taken = ", ".join(f"{step} {s:.0f} s" for step, s in report.seconds.items())
    lines.append(f"<sub>make review: {taken}</sub>")
    return "\n\n".join(lines) + "\n"


def changelog(found: Comparison) -> list[str]:
    """Lines that a changelog owes its readers, as far as they can be told from the tables."""
    entries = [f"New: {code(new.name)}." for new in found.new_tables if new.is_mart]
    for model, broken in found.contracts.items():
        entries.append(f"{code(model)}: {listed(broken)}. Breaks who reads it.")
    broken_models = set(found.contracts)
    for change in found.columns:
        if change.is_mart and change.kind == "added" and change.model not in broken_models:
            entries.append(f"{code(change.model)}: column {code(change.after)}. Breaks nobody.")
    for diff in found.values:
        if diff.is_mart and diff.is_different and diff.name not in broken_models:
            entries.append(f"{code(diff.name)}: values differ.")
    return entries[:SHOWN]
