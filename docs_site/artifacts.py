"""What dbt wrote about the project and its latest build: nodes, tests and their results."""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class Check:
    """A dbt test, or another node, with its result in the latest build."""

    unique_id: str
    name: str
    kind: str
    """``test``, ``unit_test``, ``model``, ``seed``, ``snapshot``."""
    status: str
    message: str
    nodes: frozenset[str]
    """Ids of the nodes it tests, or is."""
    kind_of: str = ""
    """Of a generic test: ``unique``, ``relationships``, …"""
    sql: str = ""
    """Of a data test that ran: what asked for the rows it wants none of."""


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
                    unique_id=unique_id,
                    name=node["name"],
                    kind=kind,
                    status=result.get("status", NOT_RUN),
                    message=result.get("message") or "",
                    nodes=frozenset(
                        node["depends_on"]["nodes"]
                        if kind in ("test", "unit_test")
                        else (unique_id,)
                    ),
                    kind_of=(node.get("test_metadata") or {}).get("name", ""),
                    sql=(result.get("compiled_code") or "") if kind == "test" else "",
                )
            )
        return sorted(found, key=lambda check: check.name)

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

    def other_models(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Models beside those of these names: id → name and description."""
        known = set(names)
        return {
            node_id: (node["name"], node["description"])
            for node_id, node in self._nodes.items()
            if node["resource_type"] == "model" and node["name"] not in known
        }

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
