"""What of the project's promises and checks was edited, from the two manifests alone.

Built tables do not show these: a test that no longer fails, a metric computed in another way, a
snapshot that no longer keeps what it kept. Each change is one line, before → after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from review.before_after import at, difference, first_difference, flat, meant, sql, text
from review.build import Manifest, Side


@dataclass(frozen=True)
class DefinitionChange:
    """One thing that is defined in another way, is gone, or is new."""

    kind: str
    """As the report names it: ``test``, ``metric``, ``snapshot``, ``setting``, …"""
    name: str
    what: str
    """Which part of it: ``severity``, ``formula``, ``SQL``, ``removed``, ``new``, …"""
    before: str = ""
    after: str = ""
    loses: str = ""
    """What somebody loses by it, in the words of the first line; empty where nobody does."""


_TEST_OPTIONS = {
    "severity": "ERROR",
    "error_if": "!= 0",
    "warn_if": "!= 0",
    "where": None,
    "limit": None,
    "fail_calc": "count(*)",
    "enabled": True,
}
"""Options that decide whether a test fails, and what they are where nobody says."""

_SNAPSHOT_OPTIONS = (
    "strategy", "unique_key", "check_cols", "updated_at", "hard_deletes",
    "snapshot_meta_column_names", "dbt_valid_to_current",
)  # fmt: skip
_TABLE_OPTIONS = (
    "materialized", "enabled", "unique_key", "incremental_strategy", "on_schema_change", "group",
    "full_refresh", "pre-hook", "post-hook", "column_types", "delimiter", "quote_columns",
)  # fmt: skip
_KINDS = (
    # manifest's section, name in the report, part → what it is called, what its change costs
    (
        "metrics", "metric",
        {
            "type": "type", "type_params": "formula", "filter": "filter",
            "time_granularity": "granularity",
        },
        "metric computed in another way",
    ),
    (
        "semantic_models", "semantic model",
        {
            "model": "model", "entities": "entities", "dimensions": "dimensions",
            "measures": "measures", "defaults": "defaults",
        },
        "",
    ),
    (
        "exposures", "exposure",
        {"depends_on.nodes": "reads", "owner": "owner", "maturity": "maturity", "url": "url"},
        "",
    ),
    (
        "sources", "source",
        {
            "identifier": "table", "schema": "schema", "freshness": "freshness",
            "loaded_at_field": "loaded_at_field", "columns": "columns", "meta": "meta",
        },
        "",
    ),
    ("saved_queries", "saved query", {"query_params": "query", "exports": "exports"}, ""),
    ("groups", "group", {"owner": "owner"}, ""),
    ("selectors", "selector", {"definition": "definition"}, ""),
)  # fmt: skip
_GONE = {"metric": "metric gone", "exposure": "exposure gone", "source": "source gone"}


def definition_changes(base: Side, pr: Side) -> list[DefinitionChange]:
    """Everything defined otherwise; first what somebody loses by it."""
    if base.manifest is None or pr.manifest is None:
        return []
    old, new = base.manifest, pr.manifest
    found = [
        *_tests(old, new),
        *_test_macros(old, new),
        *_unit_tests(old, new),
        *_tables(old, new),
        *_sections(old, new),
        *_settings(base.settings, pr.settings),
    ]
    return sorted(found, key=lambda change: (not change.loses, change.kind, change.name))


def _tests(old: Manifest, new: Manifest) -> Iterator[DefinitionChange]:
    before, after = _named_tests(old), _named_tests(new)
    gone = {name: test for name, test in before.items() if name not in after}
    added = {name: test for name, test in after.items() if name not in before}
    for name, test in list(gone.items()):
        # The same test of the same columns with other arguments is one change, not two.
        twins = [other for other, new_test in added.items() if _place(new_test) == _place(test)]
        alike = [other for other, old_test in gone.items() if _place(old_test) == _place(test)]
        if test.get("test_metadata") and len(twins) == len(alike) == 1:
            arguments = _arguments(test), _arguments(added.pop(twins[0]))
            yield DefinitionChange(
                "test", _test_place(test), "arguments", *arguments, "check changed"
            )
            del gone[name]
    for name, test in gone.items():
        if test.get("attached_node") and test["attached_node"] not in new["nodes"]:
            continue  # its model is gone, which is said of the model
        column = _place(test)[2].strip('"')
        there = new["nodes"].get(test.get("attached_node") or "", {}).get("columns", {})
        is_moot = bool(column) and column not in there  # the column is gone, which is said of it
        yield DefinitionChange("test", name, "removed", loses="" if is_moot else "check gone")
    for name in added:
        yield DefinitionChange("test", name, "new")
    for name, test in before.items():
        other = after.get(name)
        if other is None:
            continue
        for option, usual in _TEST_OPTIONS.items():
            values = [_option(side["config"].get(option), usual) for side in (test, other)]
            if values[0] != values[1]:
                loses = "" if _is_stricter(option, values[1], usual) else "check loosened"
                shown = text(values[0]), text(values[1])
                yield DefinitionChange("test", name, option, *shown, loses)
        if not test.get("test_metadata") and sql(test) != sql(other):
            yield DefinitionChange(
                "test", name, "SQL", *first_difference(sql(test), sql(other)), "check changed"
            )


def _named_tests(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Every data test by what it checks; one that is disabled too, as it is then a loosened one."""
    nodes = list(manifest["nodes"].values())
    nodes += [node for disabled in manifest["disabled"].values() for node in disabled]
    return {
        f"{_test_place(node)}{f' ({shown})' if (shown := _arguments(node)) else ''}": node
        for node in nodes
        if node["resource_type"] == "test"
    }


def _test_place(node: Mapping[str, Any]) -> str:
    metadata = node.get("test_metadata")
    if not metadata:
        return str(node["name"])
    name, model, column = _place(node)
    return f"{name} on {model}{f'.{column}' if column else ''}"


def _place(node: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = node.get("test_metadata") or {"name": node["name"], "kwargs": {}}
    model = (node.get("attached_node") or "").rsplit(".", 1)[-1]
    return metadata["name"], model, str(metadata["kwargs"].get("column_name") or "")


def _arguments(node: Mapping[str, Any]) -> str:
    kwargs = (node.get("test_metadata") or {"kwargs": {}})["kwargs"]
    given = {name: value for name, value in kwargs.items() if name not in {"model", "column_name"}}
    return ", ".join(f"{name}={text(value)}" for name, value in sorted(given.items()))


def _option(value: Any, usual: Any) -> Any:
    if value is None:
        return usual
    return value.upper() if usual == "ERROR" else value


def _is_stricter(option: str, value: Any, usual: Any) -> bool:
    """Back to what a test is where nobody says otherwise; anything else may let more through."""
    return bool(value == usual) and option != "fail_calc"


def _test_macros(old: Manifest, new: Manifest) -> Iterator[DefinitionChange]:
    for unique_id, macro in old["macros"].items():
        name = str(macro["name"])
        if not name.startswith("test_") or macro["package_name"] != old["metadata"]["project_name"]:
            continue
        other = new["macros"].get(unique_id)
        if other and other["macro_sql"].split() == macro["macro_sql"].split():
            continue
        users = sum(
            unique_id in node["depends_on"].get("macros", []) for node in old["nodes"].values()
        )
        label = f"{name.removeprefix('test_')} ({users} tests use it)"
        if other is None:
            yield DefinitionChange("test macro", label, "removed", loses="check gone")
        else:
            difference = first_difference(macro["macro_sql"], other["macro_sql"])
            yield DefinitionChange("test macro", label, "SQL", *difference, "check changed")


def _unit_tests(old: Manifest, new: Manifest) -> Iterator[DefinitionChange]:
    for unique_id, test in old["unit_tests"].items():
        name = f"{test['model']}.{test['name']}"
        other = new["unit_tests"].get(unique_id)
        if other is None:
            if any(node["name"] == test["model"] for node in new["nodes"].values()):
                yield DefinitionChange("unit test", name, "removed", loses="check gone")
            continue
        for part, loses in (("expect", "check changed"), ("given", ""), ("overrides", "")):
            if test[part] != other[part]:
                rows = [_rows_of(side[part]) for side in (test, other)]
                yield DefinitionChange(
                    "unit test", name, part, *first_difference(*rows), loses=loses
                )
    for unique_id, test in new["unit_tests"].items():
        if unique_id not in old["unit_tests"]:
            yield DefinitionChange("unit test", f"{test['model']}.{test['name']}", "new")


def _rows_of(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("rows"), list):
        return "\n".join(text(row) for row in part["rows"])
    return json.dumps(part, indent=1, ensure_ascii=False, sort_keys=True)


def _tables(old: Manifest, new: Manifest) -> Iterator[DefinitionChange]:
    for unique_id, node in old["nodes"].items():
        other = new["nodes"].get(unique_id)
        kind = node["resource_type"]
        if other is None or kind not in {"model", "seed", "snapshot"}:
            if kind == "snapshot":
                yield DefinitionChange(kind, node["name"], "removed", loses="snapshot gone")
            continue
        options = [*_TABLE_OPTIONS, *(_SNAPSHOT_OPTIONS if kind == "snapshot" else ())]
        for option in dict.fromkeys(options):
            values = [side["config"].get(option) for side in (node, other)]
            if values[0] == values[1]:
                continue
            loses = ""
            if kind == "snapshot" and option in _SNAPSHOT_OPTIONS:
                loses = "snapshot whose history cannot be rebuilt"
            shown = text(values[0]), text(values[1])
            yield DefinitionChange(kind, node["name"], option, *shown, loses)
        if kind == "snapshot" and node.get("raw_code", "").split() != other["raw_code"].split():
            change = first_difference(sql(node), sql(other))
            yield DefinitionChange(kind, node["name"], "SQL", *change)


def _sections(old: Manifest, new: Manifest) -> Iterator[DefinitionChange]:
    for section, kind, parts, cost in _KINDS:
        before, after = old.get(section) or {}, new.get(section) or {}
        for unique_id, thing in before.items():
            name = _name(thing)
            other = after.get(unique_id)
            if other is None:
                yield DefinitionChange(kind, name, "removed", loses=_GONE.get(kind, ""))
                continue
            for path, called in parts.items():
                values = [meant(at(side, path)) for side in (thing, other)]
                if values[0] != values[1]:
                    loses = cost
                    if called == "reads" and set(values[0]) - set(values[1]):
                        loses = "exposure that names fewer tables"
                    yield DefinitionChange(kind, name, called, *difference(*values), loses)
        for unique_id, thing in after.items():
            if unique_id not in before:
                yield DefinitionChange(kind, _name(thing), "new")


def _name(thing: Mapping[str, Any]) -> str:
    source = thing.get("source_name")
    return f"{source}.{thing['name']}" if source else str(thing["name"])


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    """``dbt_project.yml``: variables, flags, configuration by folder."""
    before, after = flat(old), flat(new)
    for path in [*before, *(path for path in after if path not in before)]:
        values = before.get(path), after.get(path)
        if values[0] != values[1]:
            kind = "variable" if path.startswith("vars.") else "setting"
            name = path.removeprefix("vars.") if kind == "variable" else path
            yield DefinitionChange(kind, name, "value", *map(text, values))
