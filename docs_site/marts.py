"""The marts: what dbt's manifest and dbt-colibri's lineage say of each, and of each column."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from docs_site.artifacts import Artifacts, Check
from docs_site.fields import fields_read
from ingestion.registry import registry
from ingestion.settings import PROJECT_DIR

_GRAIN = re.compile(r"Grain: (.+?)\.(?:\s|$)")
_REF = re.compile(r"ref\('(\w+)'\)")
RECORD_COLUMN = "payload"
"""The column of a raw table that holds the record as the portal sent it."""


@dataclass(frozen=True)
class Origin:
    """Where the values of a column come from."""

    kind: str
    """``dataset`` of the registry, ``decisions`` (a seed), ``calendar``, ``ledger``, ``here``."""
    name: str = ""
    """Of the dataset or the seed."""
    fields: tuple[str, ...] = ()
    """Of the portal's record; none where the value is not in the record itself."""


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str
    description: str
    origins: tuple[Origin, ...]
    checks: tuple[Check, ...]
    """Tests of this column alone."""
    constraints: tuple[str, ...]
    """Of the contract, which the warehouse enforces: ``not_null``."""
    refers_to: tuple[str, str] | None
    """Mart and column a tested relationship leads to."""


@dataclass(frozen=True)
class Mart:
    node: str
    name: str
    relation: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    parents: frozenset[str]
    """Ids of the nodes it reads directly."""
    datasets: tuple[str, ...]
    """Ids of those whose content its columns show; of those it descends from where none does, and
    none where it shows nothing but the ledger."""
    is_legacy: bool
    """True under a name of the project this one replaces."""
    sql: str
    """As written, Jinja and all."""
    path: str
    """Of that SQL, from the top of the project."""
    owner: str
    edited_on: date | None
    """Of the last commit that touched the SQL; None outside a git checkout."""
    readers: tuple[str, ...]
    """Labels of the exposures that read it."""


class Lineage:
    """Origins of columns, out of dbt-colibri's JSON.

    Args:
        content: the JSON.
        artifacts: to tell at which nodes the search ends.
    """

    def __init__(self, content: Mapping[str, Any], artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._fields: dict[str, Mapping[str, tuple[str, ...]]] = {}
        self._above: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        for edge in content["lineage"]["edges"]:
            # Without a column: what a model is joined or filtered by, which is not in a column.
            if edge["sourceColumn"] and edge["targetColumn"]:
                self._above[edge["target"], edge["targetColumn"].lower()].add(
                    (edge["source"], edge["sourceColumn"].lower())
                )

    def origins(self, node_id: str, column: str) -> tuple[Origin, ...]:
        """Where the values of a model's column come from; at least one."""
        found: set[Origin] = set()
        seen: set[tuple[str, str]] = set()
        waiting = [(node_id, column.lower())]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            if origin := self._origin(current[0]):
                found.add(origin)
            elif above := self._above.get(current):
                for source, source_column in above:
                    dataset = self._artifacts.dataset_of(source)
                    if dataset and source_column == RECORD_COLUMN:
                        found.add(Origin("dataset", dataset, self._read_by(*current)))
                    else:
                        waiting.append((source, source_column))
            else:
                found.add(Origin("here"))
        # A constant beside what is read says nothing of where it was read.
        if len(found) > 1:
            found.discard(Origin("here"))
        return _merged(found)

    def _origin(self, node_id: str) -> Origin | None:
        """Where values of this node come from, if the search for an origin ends at it."""
        if node_id in self._artifacts.manifest.content["sources"]:
            dataset = self._artifacts.dataset_of(node_id)
            return Origin("dataset", dataset) if dataset else Origin("ledger")
        if node_id.startswith("seed."):
            return Origin("decisions", node_id.split(".")[-1])
        node = self._artifacts.manifest.content["nodes"].get(node_id)
        if node and (kind := node["config"]["meta"].get("origin")):
            return Origin(str(kind))
        return None

    def _read_by(self, node_id: str, column: str) -> tuple[str, ...]:
        if node_id not in self._fields:
            node = self._artifacts.manifest.content["nodes"][node_id]
            self._fields[node_id] = fields_read(node.get("compiled_code") or "")
        return self._fields[node_id].get(column, ())


def _merged(origins: Iterable[Origin]) -> tuple[Origin, ...]:
    """One origin a dataset, with all fields that are read of it."""
    fields: dict[tuple[str, str], dict[str, None]] = {}
    for origin in sorted(origins, key=lambda origin: origin.fields):
        fields.setdefault((origin.kind, origin.name), {}).update(dict.fromkeys(origin.fields))
    found = [Origin(kind, name, tuple(read)) for (kind, name), read in fields.items()]
    return tuple(
        sorted(found, key=lambda origin: (origin.kind != "dataset", origin.kind, origin.name))
    )


def read_marts(artifacts: Artifacts, lineage: Lineage) -> list[Mart]:
    """Every model of ``models/marts``, by name."""
    edited = _edit_dates()
    return [
        _mart(artifacts, lineage, node_id, node, edited)
        for node_id, node in sorted(
            artifacts.manifest.content["nodes"].items(), key=lambda item: item[1]["name"]
        )
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    ]


def _mart(
    artifacts: Artifacts,
    lineage: Lineage,
    node_id: str,
    node: Mapping[str, Any],
    edited: Mapping[str, date],
) -> Mart:
    checks, references = _by_column(artifacts, node_id)
    columns = tuple(
        Column(
            name=name,
            data_type=column["data_type"],
            description=column["description"],
            origins=lineage.origins(node_id, name),
            checks=tuple(checks.get(name, ())),
            constraints=tuple(str(each["type"]) for each in column.get("constraints", ())),
            refers_to=references.get(name),
        )
        for name, column in node["columns"].items()
    )
    origins = {origin for column in columns for origin in column.origins}
    datasets = {origin.name for origin in origins if origin.kind == "dataset"}
    if not datasets and any(origin.kind != "ledger" for origin in origins):
        datasets = {
            dataset
            for source in artifacts.ancestors(node_id)
            if (dataset := artifacts.dataset_of(source)) is not None
        }
    content = artifacts.manifest.content
    description = " ".join(node["description"].split())
    grain = _GRAIN.search(description)
    path = str(node["original_file_path"])
    group = content["groups"].get(f"group.{node['package_name']}.{node['config'].get('group')}")
    return Mart(
        node=node_id,
        name=node["name"],
        relation=node["relation_name"],
        description=description,
        grain=grain[1] if grain else "",
        key=_key(artifacts, node_id, node),
        columns=columns,
        parents=frozenset(node["depends_on"]["nodes"]),
        datasets=in_order(datasets),
        is_legacy="legacy" in node["fqn"],
        sql=node["raw_code"].strip(),
        path=path,
        owner=group["owner"]["name"] if group else "",
        edited_on=edited.get(path),
        readers=tuple(
            sorted(
                exposure.get("label") or exposure["name"]
                for exposure in content["exposures"].values()
                if node_id in exposure["depends_on"]["nodes"]
            )
        ),
    )


def _by_column(
    artifacts: Artifacts, node_id: str
) -> tuple[dict[str, list[Check]], dict[str, tuple[str, str]]]:
    """The tests of single columns of a model, and the marts that relationships lead to."""
    by_id = {check.unique_id: check for check in artifacts.checks}
    checks: dict[str, list[Check]] = {}
    references: dict[str, tuple[str, str]] = {}
    for test_id, test in artifacts.manifest.content["nodes"].items():
        column = test.get("column_name")
        if test["resource_type"] != "test" or test.get("attached_node") != node_id or not column:
            continue
        checks.setdefault(column, []).append(by_id[test_id])
        generic = test["test_metadata"] or {}
        if generic.get("name") == "relationships" and (
            target := _REF.search(str(generic["kwargs"].get("to", "")))
        ):
            references[column] = (target[1], str(generic["kwargs"]["field"]))
    return checks, references


def _key(artifacts: Artifacts, node_id: str, node: Mapping[str, Any]) -> tuple[str, ...]:
    """The tested key: several columns by `unique_together`, else one by `unique`."""
    tests = {
        test["test_metadata"]["name"]: test
        for test in reversed(list(artifacts.manifest.content["nodes"].values()))
        if test.get("attached_node") == node_id and test.get("test_metadata")
    }
    if together := tests.get("unique_together"):
        return tuple(together["test_metadata"]["kwargs"]["columns"])
    if alone := tests.get("unique"):
        return (str(alone["column_name"]),)
    return tuple(node["primary_key"])


def _edit_dates() -> dict[str, date]:
    """File below ``models`` → day of the last commit that touched it."""
    git = shutil.which("git")
    if git is None:
        return {}
    told = subprocess.run(  # noqa: S603
        [git, "log", "--no-renames", "--format=:%cs", "--name-only", "--relative", "--", "models"],
        cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    edited: dict[str, date] = {}
    day = date.min
    for line in told.stdout.splitlines():
        if line.startswith(":"):
            day = date.fromisoformat(line[1:])
        elif line:
            edited.setdefault(line, day)
    return edited


def in_order(dataset_ids: Iterable[str]) -> tuple[str, ...]:
    """Datasets in the registry's order."""
    wanted = set(dataset_ids)
    return tuple(dataset_id for dataset_id in registry() if dataset_id in wanted)
