"""The lineage of a mart as a drawing: what it is built from, left to right, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from docs_site.artifacts import Artifacts
from docs_site.marts import Mart

ROW = 30
"""Pixels from one box to the next below it."""
BOX = 22
GAP = 46
"""Pixels between two columns of boxes: room for the lines."""
CHARACTER = 6.4
"""Width of a character at 11 px, in pixels; system fonts differ by less than the padding."""


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.y + BOX / 2


def draw(mart: Mart, artifacts: Artifacts, mart_names: frozenset[str]) -> Markup:
    """An SVG for the mart's page; every box leads to its page or to its place in dbt's docs.

    Args:
        mart: in the middle of it, or at the right where nobody reads it.
        artifacts: of the build.
        mart_names: marts that have a page.
    """
    content = artifacts.manifest.content
    shown = artifacts.ancestors(mart.node) | {mart.node}
    shown |= {
        node_id
        for node_id, node in content["exposures"].items()
        if mart.node in node["depends_on"]["nodes"]
    }
    above = {
        node_id: [parent for parent in content["parent_map"].get(node_id, ()) if parent in shown]
        for node_id in shown
        if not node_id.startswith("exposure.")
    }
    above |= {node_id: [mart.node] for node_id in shown if node_id.startswith("exposure.")}
    labels = {node_id: _label(node_id, content) for node_id in shown}
    boxes = _place(_columns(above), labels)
    width = max(box.right for box in boxes.values()) + 1
    height = max(box.y for box in boxes.values()) + BOX + 1
    lines = [
        _line(boxes[parent], boxes[child]) for child, parents in above.items() for parent in parents
    ]
    drawn = [
        _box(box, labels[node_id], _kind(node_id, mart), _target(node_id, labels, mart, mart_names))
        for node_id, box in boxes.items()
    ]
    return Markup(
        '<svg class="lineage" role="group" aria-label="{label}" width="{width:.0f}"'
        ' height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">{lines}{boxes}</svg>'
    ).format(
        label=f"What {mart.name} is built from, and who reads it",
        width=width,
        height=height,
        lines=Markup("").join(lines),
        boxes=Markup("").join(drawn),
    )


def _columns(above: Mapping[str, list[str]]) -> list[list[str]]:
    """Nodes by their longest way from a source, each column in the order of what it reads."""
    depths: dict[str, int] = {}

    def depth(node_id: str) -> int:
        if node_id not in depths:
            depths[node_id] = 1 + max((depth(parent) for parent in above[node_id]), default=-1)
        return depths[node_id]

    columns: list[list[str]] = [[] for _ in range(1 + max(map(depth, above)))]
    for node_id in sorted(above):
        columns[depths[node_id]].append(node_id)
    place: dict[str, float] = {}
    for column in columns:
        # Below the middle of what it reads, so that few lines cross.
        wanted = {
            node_id: sum(place[parent] for parent in above[node_id]) / max(1, len(above[node_id]))
            for node_id in column
        }
        column.sort(key=lambda node_id, at=wanted: (at[node_id], node_id))  # type: ignore[misc]
        place |= {node_id: (i + 0.5) / len(column) for i, node_id in enumerate(column)}
    return columns


def _place(columns: list[list[str]], labels: Mapping[str, str]) -> dict[str, _Box]:
    tallest = max(len(column) for column in columns)
    boxes: dict[str, _Box] = {}
    x = 1.0
    for column in columns:
        width = max(len(labels[node_id]) for node_id in column) * CHARACTER + 16
        top = (tallest - len(column)) * ROW / 2 + 1
        for i, node_id in enumerate(column):
            boxes[node_id] = _Box(x, top + i * ROW, width)
        x += width + GAP
    return boxes


def _line(start: _Box, end: _Box) -> Markup:
    half = (end.x - start.right) / 2
    return Markup('<path d="M{:.0f} {:.0f}c{:.0f} 0 {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
        start.right, start.middle, half, half, end.middle - start.middle, 2 * half,
        end.middle - start.middle,
    )  # fmt: skip


def _box(box: _Box, label: str, kind: str, target: str) -> Markup:
    drawn = Markup(
        '<g class="{}"><rect x="{:.0f}" y="{:.0f}" width="{:.0f}" height="{}" rx="5"/>'
        '<text x="{:.0f}" y="{:.0f}">{}</text></g>'
    ).format(kind, box.x, box.y, box.width, BOX, box.x + 8, box.y + 15, label)
    return Markup('<a href="{}">{}</a>').format(target, drawn) if target else drawn


def _kind(node_id: str, mart: Mart) -> str:
    return "here" if node_id == mart.node else node_id.partition(".")[0]


def _label(node_id: str, content: Mapping[str, Any]) -> str:
    if node_id in content["sources"]:
        return f"raw: {content['sources'][node_id]['name']}".replace("_", "-")[:44]
    if node_id in content["exposures"]:
        exposure = content["exposures"][node_id]
        return str(exposure.get("label") or exposure["name"])
    return str(content["nodes"][node_id]["name"])


def _target(node_id: str, labels: Mapping[str, str], mart: Mart, mart_names: frozenset[str]) -> str:
    if node_id == mart.node:
        return ""
    if labels[node_id] in mart_names:
        return f"{labels[node_id]}.html"
    return f"../dbt/index.html#!/{node_id.partition('.')[0]}/{escape(node_id)}"
