"""What was edited, whose promise it breaks, and who reads it: from manifests and what differs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from review.build import Manifest
from review.findings import ColumnChange, Coverage, Node, ValueDiff
from review.tables import BUILT, Tables, is_mart, short_name


def edited_parts(before: Tables, after: Tables) -> dict[str, list[str]]:
    """What of each table was edited, from the manifests alone."""
    changed_macros = {
        name
        for name, macro in after.manifest["macros"].items()
        if macro["macro_sql"] != before.manifest["macros"].get(name, {}).get("macro_sql")
    }
    edited = {}
    for unique_id, new in after.nodes.items():
        old = before.nodes.get(unique_id)
        if old is None:
            continue
        marks = []
        if old["checksum"] != new["checksum"]:
            marks.append("rows" if new["resource_type"] == "seed" else "SQL")
        if changed_macros & _macros_of(after.manifest, new):
            marks.append("macro")
        if old["config"] != new["config"]:
            marks.append("config")
        if _declared(old) != _declared(new):
            marks.append("columns")
        if marks:
            edited[unique_id] = marks
    return edited


def _macros_of(manifest: Manifest, node: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(node["depends_on"].get("macros", []))
    while waiting:
        name = waiting.pop()
        if name not in found and name in manifest["macros"]:
            found.add(name)
            waiting += manifest["macros"][name]["depends_on"]["macros"]
    return found


def _declared(node: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Column → (type, constraints) as its yml declares them."""
    return {
        name.lower(): (
            str(column.get("data_type") or "").lower(),
            json.dumps(column.get("constraints") or [], sort_keys=True),
        )
        for name, column in node["columns"].items()
    }


def contracts(
    before: Tables, after: Tables, changes: Sequence[ColumnChange]
) -> dict[str, list[str]]:
    renamed = {(c.model, c.before.split(" ")[0]): c.after for c in changes if c.kind == "renamed"}
    broken: dict[str, list[str]] = {}
    for unique_id, old in before.nodes.items():
        if not old.get("contract", {}).get("enforced"):
            continue
        name = old["name"]
        found = broken.setdefault(name, [])
        new = after.nodes.get(unique_id)
        if new is None:
            found.append("the model is gone")
            continue
        if not new.get("contract", {}).get("enforced"):
            found.append("the contract is no longer enforced")
        if old["config"].get("access") == "public" != new["config"].get("access"):
            found.append("the model is no longer public")
        declared = _declared(new)
        for column, (data_type, constraints) in _declared(old).items():
            if (name, column) in renamed:
                found.append(f"column {column} renamed to {renamed[name, column]}")
            elif column not in declared:
                found.append(f"column {column} removed")
            elif declared[column][0] != data_type:
                found.append(f"column {column} is {declared[column][0]}, was {data_type}")
            elif declared[column][1] != constraints:
                found.append(f"constraints of column {column} changed")
    return {name: found for name, found in sorted(broken.items()) if found}


def undocumented(tables: Tables) -> list[str]:
    """Columns of marts that the table has and nobody described."""
    missing = []
    for unique_id, node in tables.nodes.items():
        if not is_mart(node):
            continue
        described = {
            name.lower()
            for name, column in node["columns"].items()
            if (column.get("description") or "").strip()
        }
        present = tables.columns.get(unique_id) or [name.lower() for name in node["columns"]]
        missing += [f"{node['name']}.{column}" for column in present if column not in described]
    return sorted(missing)


def docs(tables: Tables) -> Coverage:
    described = [
        bool((thing.get("description") or "").strip())
        for node in tables.nodes.values()
        for thing in (node, *node["columns"].values())
    ]
    return Coverage(sum(described), len(described))


def readers(before: Tables, after: Tables, affected: set[str], kind: str) -> dict[str, list[str]]:
    """Unique id of an exposure or metric → the affected tables it reads."""
    found: dict[str, list[str]] = {}
    for tables in (before, after):
        for unique_id in tables.manifest[kind]:
            # An exposure's own tables; a metric's through its metrics and semantic models.
            reached: set[str] = set()
            waiting = list(tables.manifest["parent_map"].get(unique_id, []))
            while waiting:
                parent = waiting.pop()
                if parent in reached:
                    continue
                reached.add(parent)
                if not parent.startswith(BUILT):
                    waiting += tables.manifest["parent_map"].get(parent, [])
            if via := sorted(short_name(i) for i in reached & affected):
                found[unique_id] = via
    return dict(sorted(found.items()))


def lineage(
    before: Tables,
    after: Tables,
    edited: Mapping[str, Sequence[str]],
    different: Mapping[str, ValueDiff],
    gone: Sequence[str],
    new: Sequence[str],
    exposures: Mapping[str, Sequence[str]],
) -> tuple[list[Node], list[tuple[str, str]]]:
    shown: dict[str, list[str]] = {}
    for unique_id, marks in edited.items():
        shown.setdefault(unique_id, []).extend(marks)
    for unique_id in different:
        shown.setdefault(unique_id, []).append("data")
    shown.update({unique_id: ["removed"] for unique_id in gone})
    shown.update({unique_id: ["new"] for unique_id in new})
    if shown:
        shown.update({unique_id: ["exposure"] for unique_id in exposures})
    edges = {
        (parent, child)
        for tables in (before, after)
        for child in shown
        for parent in tables.manifest["parent_map"].get(child, [])
        if parent in shown
    }
    nodes = [Node(i, short_name(i), i.split(".")[0], marks) for i, marks in sorted(shown.items())]
    return nodes, sorted(edges)
