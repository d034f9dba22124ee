"""The first line of the report: its mark, and what happened in the order of what it costs.

❌ does not build, or a test fails that passes on the base; ⚠️ somebody loses something;
ℹ️ data, columns or definitions differ and nobody loses; ✅ nothing differs but text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from review.findings import Comparison, ValueDiff
from review.markdown import counted, percent, sentence
from review.report import TESTS, Report

MULTIPLIED = 1.5
"""A mart with that many times its rows is named in the first line."""


def verdict(report: Report) -> str:
    """One line: what happened, and whether somebody loses by it."""
    builds = [problem for problem in report.pr.problems if problem.kind not in TESTS]
    if builds:
        skipped = (
            f", {len(report.pr.skipped)} not built or tested for it" if report.pr.skipped else ""
        )
        if builds[0].kind == "project":
            return "❌ Does not parse"
        return f"❌ Does not build: {counted(len(builds), 'error')}{skipped}"
    failing = sum(1 for p in report.pr.problems if p.kind in TESTS and not p.is_on_base)
    tests = [f"{counted(failing, 'test')} {'fails' if failing == 1 else 'fail'}"] if failing else []
    losses = list(_losses(report.comparison))
    news = list(_news(report.comparison))
    mark = "❌" if failing else "⚠️" if losses else "ℹ️" if news else "✅"
    rest = [] if report.base_missing or news else [_same(report.comparison)]
    if report.base_missing:
        rest = ["nothing to compare with" if tests or losses else "builds; nothing to compare with"]
    return f"{mark} {sentence([*tests, *losses, *news, *rest])}"


def _losses(found: Comparison) -> Iterator[str]:
    for change in found.raw:
        if change.lost:
            yield f"{change.table} loses {counted(change.lost, 'raw record')}"
    if found.contracts:
        yield f"contract of {counted(len(found.contracts), 'mart')} broken"
    if found.keys_lost:
        yield f"{counted(len(found.keys_lost), 'model')} lost the tested key"
    costs = Counter(change.loses for change in found.definitions if change.loses)
    for cost, number in costs.items():
        noun, _, rest = cost.partition(" ")
        yield f"{counted(number, noun)} {rest}"
    if found.undocumented:
        yield f"{counted(len(found.undocumented), 'mart column')} without description"
    if found.empty_columns:
        yield f"{counted(len(found.empty_columns), 'column')} null in every row"
    if lost := sum(1 for diff in found.values if diff.is_mart and diff.lost):
        yield f"{counted(lost, 'mart')} lost rows"
    for row in found.rows:
        if row.is_mart and row.base and row.pr and row.pr >= row.base * MULTIPLIED:
            yield f"{row.name} has {percent(row.base, row.pr)} rows"
    if found.unstable:
        yield f"{counted(len(found.unstable), 'table')} other at each build"
    if slower := sum(1 for time in found.times if time.is_slower):
        yield f"{counted(slower, 'model')} slower"


def _news(found: Comparison) -> Iterator[str]:
    for change in found.raw:
        if change.added:
            yield f"{change.table} gains {counted(change.added, 'raw record')}"
    marts = sum(1 for table in found.new_tables if table.is_mart)
    if marts:
        yield counted(marts, "new mart")
    if others := len(found.new_tables) - marts:
        yield counted(others, "other new table")
    added = sum(1 for change in found.columns if change.kind == "added" and change.is_mart)
    if added:
        yield f"{counted(added, 'mart column')} added"
    yield from _edited_definitions(found)
    changed = [diff for diff in found.values if diff.is_mart and diff.is_different]
    if len(changed) == 1:
        yield _rows_changed(changed[0])
    elif changed:
        yield f"data of {counted(len(changed), 'mart')} changed"
    elif any(diff.is_different for diff in found.values):
        yield "every mart has the same rows, tables before them do not"


def _edited_definitions(found: Comparison) -> Iterator[str]:
    """Those by which nobody loses: as what they are where there is one, else how many."""
    neutral = [c for c in found.definitions if not c.loses and c.what != "new"]
    views = [c for c in neutral if c.what == "materialized"]
    for change in views[:3]:
        yield f"{change.name} is a {change.after}, was a {change.before}"
    kinds = Counter(change.kind for change in neutral if change not in views[:3])
    for kind, number in kinds.items():
        yield f"{counted(number, kind)} changed"
    for kind, number in Counter(c.kind for c in found.definitions if c.what == "new").items():
        yield f"{counted(number, f'new {kind}')}"


def _rows_changed(diff: ValueDiff) -> str:
    if diff.changed and not (diff.lost or diff.added):
        return f"{diff.name}: {diff.changed:,} of {counted(diff.rows, 'row')} changed"
    if diff.added and not (diff.lost or diff.changed):
        return f"{diff.name}: {counted(diff.added, 'row')} added"
    return f"data of {diff.name} changed"


def _same(found: Comparison) -> str:
    if found.is_same:
        return f"no difference in {found.tables_compared} tables"
    return f"same data in {found.tables_compared} tables"
