"""What differs between two builds: their manifests, and their tables in one DuckDB file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from review.build import Side
from review.column_lineage import Query, column_readers
from review.definitions import definition_changes
from review.findings import BuildTime, ColumnChange, Comparison, RawChange, RowCount, ValueDiff
from review.lineage import contracts, docs, edited_parts, lineage, readers, undocumented
from review.novelties import differs_when_built_again, empty_columns, new_table
from review.tables import Tables, count, is_mart, row_counts, short_name
from review.values import diff_table

if TYPE_CHECKING:
    import duckdb

FOLLOWED = 12
"""Columns whose readers are looked for; one that half of the models read takes some seconds."""


def compare(
    base: Side | None,
    pr: Side,
    connection: duckdb.DuckDBPyConnection,
    raw: Sequence[RawChange] = (),
) -> Comparison:
    """Compare what the two sides built.

    Args:
        base: None where only what can be said of one side is wanted.
        pr: the working tree.
        connection: to the file that both were built into.
        raw: how the raw data of the two sides differ.
    """
    if pr.manifest is None:
        return Comparison()
    after = Tables(pr, connection)
    described = docs(after)
    if base is None or base.manifest is None:
        return Comparison(
            rows=[
                RowCount(node["name"], is_mart(node), None, count(connection, after, unique_id))
                for unique_id, node in after.nodes.items()
                if unique_id in after.columns
            ],
            undocumented=undocumented(after),
            docs=described,
        )
    before = Tables(base, connection)
    both = [unique_id for unique_id in before.columns if unique_id in after.columns]
    columns: list[ColumnChange] = []
    values: list[ValueDiff] = []
    for unique_id in both:
        diff, changes = diff_table(connection, before, after, unique_id)
        values.append(diff)
        columns += changes
    edited = edited_parts(before, after)
    different = {
        unique_id: diff
        for unique_id, diff in zip(both, values, strict=True)
        if diff.is_different or any(change.model == diff.name for change in columns)
    }
    gone = [unique_id for unique_id in before.nodes if unique_id not in after.nodes]
    new = [unique_id for unique_id in after.nodes if unique_id not in before.nodes]
    affected = {*different, *gone, *new}
    exposures = readers(before, after, affected, "exposures")
    nodes, edges = lineage(before, after, edited, different, gone, new, exposures)
    marts_first = lambda item: (not item.is_mart, item.name)  # noqa: E731
    column_reads, unread, left = readers_of_columns(before, columns)
    return Comparison(
        tables_compared=len(both),
        edited={after.nodes[i]["name"]: marks for i, marks in sorted(edited.items())},
        rows=sorted(row_counts(connection, before, after), key=marts_first),
        columns=sorted(columns, key=lambda c: (not c.is_mart, c.model, c.kind, c.before)),
        values=sorted(values, key=marts_first),
        column_readers=column_reads,
        columns_not_followed=left,
        unread=unread,
        contracts=contracts(before, after, columns),
        keys_lost=[
            after.nodes[i]["name"]
            for i in sorted(after.nodes)
            if i in before.nodes and before.key(i) and not after.key(i)
        ],
        definitions=definition_changes(base, pr),
        new_tables=[new_table(connection, after, i) for i in new if i in after.columns],
        empty_columns=empty_columns(connection, before, after, both),
        without_effect=_without_effect(after, edited, {*different, *new}),
        unstable=differs_when_built_again(connection, after, different),
        raw=raw,
        undocumented=undocumented(after),
        docs_base=docs(before),
        docs=described,
        exposures={short_name(r): via for r, via in exposures.items()},
        metrics={
            short_name(r): via
            for kind in ("metrics", "saved_queries")
            for r, via in readers(before, after, affected, kind).items()
        },
        nodes=nodes,
        edges=edges,
        times=[
            BuildTime(after.nodes[i]["name"], base.seconds.get(i), seconds)
            for i, seconds in pr.seconds.items()
        ],
    )


def readers_of_columns(
    before: Tables, changes: Sequence[ColumnChange]
) -> tuple[dict[str, dict[str, list[str]]], list[str], int]:
    """Of the first columns that are no longer what they were; those of marts come first.

    Returns:
        Who reads each, the tables whose SQL could not be taken apart, and how many more columns
        there are.
    """
    ids = {node["name"]: unique_id for unique_id, node in before.nodes.items()}
    changed = sorted((c for c in changes if c.kind != "added"), key=lambda c: not c.is_mart)
    found = {}
    queries: dict[str, Query] = {}
    unread: set[str] = set()
    for change in changed[:FOLLOWED]:
        column = change.before.split(" ")[0]
        who = column_readers(before, ids[change.model], column, queries)
        unread.update(who.unread)
        if who.found:
            found[f"{change.model}.{column}"] = who.found
    return found, sorted(unread), max(len(changed) - FOLLOWED, 0)


def _without_effect(
    after: Tables, edited: Mapping[str, Sequence[str]], different: Collection[str]
) -> list[str]:
    """A model or macro counts with its own table; a seed, whose rows are the edit, with readers."""
    found = []
    for unique_id, marks in edited.items():
        if not {"SQL", "macro", "rows"} & set(marks) or unique_id not in after.columns:
            continue
        reached = {unique_id}
        if "rows" in marks:
            reached = _descendants(after, unique_id)
        if not reached & set(different):
            found.append(after.nodes[unique_id]["name"])
    return sorted(found)


def _descendants(tables: Tables, unique_id: str) -> set[str]:
    found: set[str] = set()
    waiting = list(tables.manifest["child_map"].get(unique_id, []))
    while waiting:
        child = waiting.pop()
        if child not in found:
            found.add(child)
            waiting += tables.manifest["child_map"].get(child, [])
    return found
