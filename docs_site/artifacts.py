"""What dbt and dbt-colibri wrote about the project: marts, tests and their results, origins."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dashboard.export import Manifest
from ingestion.errors import BuildError
from ingestion.registry import registry

BAD = ("error", "fail", "warn", "skipped", "partial success")
"""Statuses of a result that somebody must look at, worst first."""
NOT_RUN = "not run"

# Others write results too, where every node is a success.
_TESTING = ("dbt build", "dbt test", "dbt retry")
_GRAIN = re.compile(r"Grain: (.+?)\.(?:\s|$)")


@dataclass(frozen=True)
class Origin:
    """Where the values of a column come from."""

    kind: str
    """``dataset`` of the registry, ``decisions`` (a seed), ``calendar``, ``ledger``, ``here``."""
    name: str = ""
    """Of the dataset or the seed."""


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str
    description: str
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class Check:
    """A dbt test, or another node, with its result in the latest build."""

    name: str
    kind: str
    """``test``, ``unit_test``, ``model``, ``seed``, ``snapshot``."""
    status: str
    message: str
    nodes: frozenset[str]
    """Ids of the nodes it tests, or is."""


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


@dataclass(frozen=True)
class LastBuild:
    """The invocation of dbt that wrote ``run_results.json``."""

    command: str
    finished_at: datetime
    seconds: float
    dbt_version: str


class Artifacts:
    """Everything the site knows from files.

    Args:
        target_path: of the build: ``manifest.json`` and ``run_results.json``.
        target: the warehouse's kind.

    Raises:
        BuildError: nothing was built there, or for another warehouse, or not tested.
    """

    def __init__(self, target_path: Path, target: str) -> None:
        self.manifest = Manifest(target_path / "manifest.json", target)
        try:
            self._results = json.loads((target_path / "run_results.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BuildError(
                f"No results of a dbt build in {target_path} ({error}): run `make demo` or"
                " `make run` first."
            ) from error
        if self.last_build.command not in _TESTING:
            raise BuildError(
                f"{target_path} holds the results of `{self.last_build.command}`, which tests"
                " nothing: run `dbt build` again."
            )
        self._nodes: Mapping[str, Any] = self.manifest.content["nodes"]
        self._sources: Mapping[str, Any] = self.manifest.content["sources"]
        self._tables = {dataset.table: dataset.dataset_id for dataset in registry().values()}

    @cached_property
    def last_build(self) -> LastBuild:
        metadata = self._results["metadata"]
        return LastBuild(
            command=f"dbt {self._results['args'].get('which', 'build')}",
            finished_at=datetime.fromisoformat(metadata["generated_at"]),
            seconds=self._results["elapsed_time"],
            dbt_version=metadata["dbt_version"],
        )

    @cached_property
    def checks(self) -> list[Check]:
        """Every test of the project, and every other node that the build ran, by name."""
        results = {result["unique_id"]: result for result in self._results["results"]}
        tests = [(i, n) for i, n in self._nodes.items() if n["resource_type"] == "test"]
        unit_tests = list(self.manifest.content["unit_tests"].items())
        others = [
            (i, self._nodes[i])
            for i in results
            if i in self._nodes and self._nodes[i]["resource_type"] != "test"
        ]
        found = []
        for unique_id, node in [*tests, *unit_tests, *others]:
            result = results.get(unique_id, {})
            kind = node["resource_type"]
            found.append(
                Check(
                    name=node["name"],
                    kind=kind,
                    status=result.get("status", NOT_RUN),
                    message=result.get("message") or "",
                    nodes=frozenset(
                        node["depends_on"]["nodes"]
                        if kind in ("test", "unit_test")
                        else (unique_id,)
                    ),
                )
            )
        return sorted(found, key=lambda check: check.name)

    def marts(self, lineage: Lineage) -> list[Mart]:
        """Every model of ``models/marts``, by name."""
        return [
            self._mart(node_id, node, lineage)
            for node_id, node in sorted(self._nodes.items(), key=lambda item: item[1]["name"])
            if node["resource_type"] == "model" and node["fqn"][1] == "marts"
        ]

    def _mart(self, node_id: str, node: Mapping[str, Any], lineage: Lineage) -> Mart:
        columns = tuple(
            Column(
                name=name,
                data_type=column["data_type"],
                description=column["description"],
                origins=lineage.origins(node_id, name),
            )
            for name, column in node["columns"].items()
        )
        origins = {origin for column in columns for origin in column.origins}
        datasets = {origin.name for origin in origins if origin.kind == "dataset"}
        if not datasets and any(origin.kind != "ledger" for origin in origins):
            datasets = self._datasets_above(node_id)
        description = " ".join(node["description"].split())
        grain = _GRAIN.search(description)
        return Mart(
            node=node_id,
            name=node["name"],
            relation=node["relation_name"],
            description=description,
            grain=grain[1] if grain else "",
            key=self._key(node_id, node),
            columns=columns,
            parents=frozenset(node["depends_on"]["nodes"]),
            datasets=in_order(datasets),
            is_legacy="legacy" in node["fqn"],
        )

    def _key(self, node_id: str, node: Mapping[str, Any]) -> tuple[str, ...]:
        """The tested key: one column by dbt's own inference, several by `unique_together`."""
        for test in self._nodes.values():
            generic = test.get("test_metadata") or {}
            if test.get("attached_node") == node_id and generic.get("name") == "unique_together":
                return tuple(generic["kwargs"]["columns"])
        return tuple(node["primary_key"])

    def ancestors(self, node_id: str) -> set[str]:
        """All nodes and sources a node descends from.

        What reads all raw tables through the macro `raw_versions` shows no source in dbt's graph.
        """
        parents = self.manifest.content["parent_map"]
        seen: set[str] = set()
        waiting = list(parents.get(node_id, ()))
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting.extend(parents.get(current, ()))
                node = self._nodes.get(current)
                if node and "macro.paris_colleges.raw_versions" in node["depends_on"]["macros"]:
                    seen.update(filter(self.dataset_of, self._sources))
        return seen

    def _datasets_above(self, node_id: str) -> set[str]:
        return {
            dataset
            for source in self.ancestors(node_id)
            if (dataset := self.dataset_of(source)) is not None
        }

    def dataset_of(self, node_id: str) -> str | None:
        """The dataset a source holds; None for any other node, and for the bookkeeping."""
        source = self._sources.get(node_id)
        return self._tables.get(source["identifier"]) if source else None

    def source(self, dataset_id: str) -> Mapping[str, Any]:
        """The source that holds a dataset.

        Raises:
            BuildError: none does.
        """
        table = registry()[dataset_id].table
        for source in self._sources.values():
            if source["identifier"] == table:
                found: Mapping[str, Any] = source
                return found
        raise BuildError(f"No dbt source reads raw.{table}: add it to models/staging.")

    def staging_relation(self, dataset_id: str) -> str | None:
        """Where staging has one row per record of a dataset."""
        source = self.source(dataset_id)["unique_id"]
        for node_id, node in self._nodes.items():
            if (
                node["resource_type"] == "model"
                and node["fqn"][1] == "staging"
                and "record_key" in node["primary_key"]
                and {above for above in self.ancestors(node_id) if above in self._sources}
                == {source}
            ):
                return str(node["relation_name"])
        return None

    def origin(self, node_id: str) -> Origin | None:
        """Where values of this node come from, if the search for an origin ends at it."""
        if node_id in self._sources:
            dataset = self.dataset_of(node_id)
            return Origin("dataset", dataset) if dataset else Origin("ledger")
        if node_id.startswith("seed."):
            return Origin("decisions", node_id.split(".")[-1])
        node = self._nodes.get(node_id)
        if node and (kind := node["config"]["meta"].get("origin")):
            return Origin(str(kind))
        return None

    def nodes_named(self, names: Iterable[str]) -> set[str]:
        """Ids of what tests and unit tests of these names test, and of models of these names."""
        wanted = set(names)
        tested: set[str] = set()
        for check in self.checks:
            if check.name in wanted and check.kind in ("test", "unit_test"):
                tested |= check.nodes
        return tested | {
            node_id
            for node_id, node in self._nodes.items()
            if node["resource_type"] == "model" and node["name"] in wanted
        }


class Lineage:
    """Origins of columns, out of dbt-colibri's JSON.

    Args:
        content: the JSON.
        artifacts: to tell at which nodes the search ends.
    """

    def __init__(self, content: Mapping[str, Any], artifacts: Artifacts) -> None:
        self._artifacts = artifacts
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
            if origin := self._artifacts.origin(current[0]):
                found.add(origin)
            elif above := self._above.get(current):
                waiting.extend(above)
            else:
                found.add(Origin("here"))
        # A constant beside what is read says nothing of where it was read.
        if len(found) > 1:
            found.discard(Origin("here"))
        return tuple(
            sorted(found, key=lambda origin: (origin.kind != "dataset", origin.kind, origin.name))
        )


def in_order(dataset_ids: Iterable[str]) -> tuple[str, ...]:
    """Datasets in the registry's order."""
    wanted = set(dataset_ids)
    return tuple(dataset_id for dataset_id in registry() if dataset_id in wanted)
