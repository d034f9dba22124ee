"""Two values of a definition, as the report writes them: before → after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def at(thing: Mapping[str, Any], path: str) -> Any:
    """What stands at ``a.b.c`` of nested mappings; None where nothing does."""
    value: Any = thing
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def meant(value: Any) -> Any:
    """Without what is empty, a description, or written by dbt alone."""
    silent = {"description", "label", "config", "doc_blocks", "unrendered_config", "metadata"}
    if isinstance(value, Mapping):
        kept = {k: meant(v) for k, v in value.items() if k not in silent}
        return {k: v for k, v in kept.items() if v not in (None, [], {}, False)}
    if isinstance(value, list):
        return [meant(item) for item in value]
    return value


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings as one: ``a.b.c`` → value."""
    if isinstance(value, Mapping):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}.{key}").items()}
    return {path.lstrip("."): value}


def difference(old: Any, new: Any) -> tuple[str, str]:
    """The parts that differ alone, so that a long list or formula stays readable."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        before, after = flat(old), flat(new)
        paths = [p for p in {**before, **after} if before.get(p) != after.get(p)]
        if len(paths) == 1:
            return text(before.get(paths[0])), text(after.get(paths[0]))
        shown = [
            ", ".join(f"{p}: {text(side[p])}" for p in paths if p in side)
            for side in (before, after)
        ]
        return shown[0], shown[1]
    if isinstance(old, list) and isinstance(new, list):
        lost, gained = [i for i in old if i not in new], [i for i in new if i not in old]
        return _names(lost), _names(gained)
    return text(old), text(new)


def _names(values: Sequence[Any]) -> str:
    return ", ".join(v.split(".", 2)[-1] if isinstance(v, str) else text(v) for v in values)


def first_difference(old: str, new: str) -> tuple[str, str]:
    """The lines from the first to the last that differ, on each side."""
    a, b = [[line.strip() for line in text.splitlines() if line.strip()] for text in (old, new)]
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return "\n".join(a), "\n".join(b)


def sql(node: Mapping[str, Any]) -> str:
    """A node's SQL as written."""
    return str(node.get("raw_code") or "")


def text(value: Any) -> str:
    """A value as the report shows it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
