"""Who names a column that is no longer what it was, beside SQL: yml after it, code outside dbt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from review.build import Manifest
from review.findings import ColumnChange
from review.processes import ReviewError, git

OUTSIDE = ("dashboard", "docs_site", "docs", "orchestration", "deploy", "README.md")
"""Where code or text that reads marts stands."""
OWN_SUFFIXES = (".yml",)
"""Metrics, unit tests, arguments of tests; SQL is read by `review.column_lineage`, which names
what it could not read."""


def mentions(
    project: Path, manifest: Manifest, columns: Iterable[ColumnChange]
) -> dict[str, list[str]]:
    """Column removed, renamed or retyped → where it is named, as ``file:line``.

    A name is looked for as a word: in the yml of what comes after the table, and in the folders
    that read marts. That it is the same column is for the reader to see.
    """
    found = {}
    for change in columns:
        if not change.is_mart or change.kind == "added":
            continue
        column = change.before.split(" ")[0]
        files = _after(manifest, change.model)
        if places := _named(project, column, [*files, *OUTSIDE]):
            found[f"{change.model}.{column}"] = places
    return found


def _after(manifest: Manifest, model: str) -> list[str]:
    """Files of what is made of a model, its metrics and their yml included; not its own."""
    nodes: Mapping[str, Mapping[str, object]] = manifest.get("nodes", {})
    start = [i for i, node in nodes.items() if node["name"] == model]
    own = {str(nodes[i]["original_file_path"]).rsplit(".", 1)[0] for i in start}
    found: set[str] = set()
    waiting = list(start)
    seen: set[str] = set()
    while waiting:
        unique_id = waiting.pop()
        if unique_id in seen:
            continue
        seen.add(unique_id)
        waiting += manifest["child_map"].get(unique_id, [])
        if node := nodes.get(unique_id):
            found.add(str(node["original_file_path"]))
    return sorted(f for f in found if f.endswith(OWN_SUFFIXES) and f.rsplit(".", 1)[0] not in own)


def _named(project: Path, word: str, paths: Sequence[str]) -> list[str]:
    present = [path for path in paths if (project / path).exists()]
    if not present:
        return []
    arguments = ("grep", "--untracked", "-nwIF", "--full-name", "-e", word, "--", *present)
    try:
        said = git(project, *arguments).decode(errors="replace")
    except ReviewError:
        return []  # git grep ends with 1 where it finds nothing
    return [":".join(line.split(":", 2)[:2]) for line in said.splitlines()]
