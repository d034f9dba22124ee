"""The dbt project as plain SQL: compiled once per content of its files, then read from a cache.

dbt takes ten seconds to start, and a suite of small builds cannot wait for it. Two compilations are
kept: that of a first build, and that of a later one, in which `is_incremental()` is true and a
snapshot finds its own table.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import yaml
from filelock import FileLock

from ingestion.settings import PROJECT_DIR

CACHE = PROJECT_DIR / "target" / "mutations"
KEPT = 4
"""Compilations kept; older ones are removed."""
DATABASE = "warehouse"
"""Name of the database in the compiled SQL."""

SEMANTIC_MANIFEST = "semantic_manifest.json"

_FOLDERS = ("models", "macros", "seeds", "snapshots", "tests/data")
_FILES = ("dbt_project.yml", "ingestion/datasets.yml", "tests/mutations/compiled.py")


@dataclass(frozen=True)
class Node:
    """A seed, model, snapshot or data test."""

    node_id: str
    name: str
    kind: str
    """`seed`, `model`, `snapshot`, `test`."""
    relation: str
    """Quoted name, as the compiled SQL writes it; empty for a test."""
    parents: tuple[str, ...]
    """Ids of seeds, models and snapshots it reads."""
    sources: tuple[str, ...]
    """Names of the tables of raw it reads."""
    config: Mapping[str, Any]
    sql: str
    later_sql: str
    """The SQL of a build that finds what an earlier one made."""
    not_null: tuple[str, ...] = ()
    """Columns whose contract says `not_null`."""
    path: str = ""
    """The file, relative to the project."""
    config_types: Mapping[str, str] = field(default_factory=dict)

    @property
    def materialized(self) -> str:
        return str(self.config["materialized"])


@dataclass(frozen=True)
class UnitTest:
    """A unit test of a model, its rows as written."""

    name: str
    model: str
    """Id of the model."""
    given: Mapping[str, tuple[Mapping[str, Any], ...] | str]
    """Rows, or SQL that gives them, by the quoted relation they stand in for."""
    expect: tuple[Mapping[str, Any], ...]
    has_overrides: bool


@dataclass(frozen=True)
class Project:
    """All nodes, in the order of the DAG."""

    nodes: Mapping[str, Node]
    tests: Mapping[str, Node]
    unit_tests: Mapping[str, UnitTest]
    raw_tables: Mapping[str, Mapping[str, str]]
    """Columns and types of each raw table, by its name in the schema `raw`."""

    @cached_property
    def marts(self) -> frozenset[str]:
        """Ids of the marts."""
        marts = (node for node in self.nodes.values() if node.path.startswith("models/marts"))
        return frozenset(node.node_id for node in marts)

    def ancestors(self, node_id: str) -> frozenset[str]:
        """Ids of everything a node is made of, itself left out."""
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            node = self.nodes.get(waiting.pop()) or self.tests[node_id]
            for parent in node.parents:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return frozenset(found)

    def descendants(self, node_id: str) -> tuple[str, ...]:
        """Ids of what is made of a node, itself first, in the order of the DAG."""
        found = {node_id}
        for other in self.nodes.values():
            if found.intersection(other.parents):
                found.add(other.node_id)
        return tuple(name for name in self.nodes if name in found)


def fingerprint() -> str:
    """SHA-256 of every file that the compiled SQL follows from."""
    paths = [PROJECT_DIR / name for name in _FILES]
    for folder in _FOLDERS:
        paths += sorted(path for path in (PROJECT_DIR / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(PROJECT_DIR)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def load_project() -> Project:
    """The compiled project, from the cache or, ten to thirty seconds later, from dbt.

    Raises:
        RuntimeError: dbt could not compile it; the message holds dbt's own.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / fingerprint()
    with FileLock(CACHE / "lock", timeout=600):
        if not (folder / "later.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                _compile(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            _forget_old()
        folder.touch()
        return _read(folder)


def compiled_manifest() -> Path:
    """dbt's ``manifest.json`` of the project that `load_project` gives."""
    load_project()
    return CACHE / fingerprint() / "first.json"


def semantic_manifest() -> Path:
    """What MetricFlow reads of the project that `load_project` gives."""
    load_project()
    return CACHE / fingerprint() / SEMANTIC_MANIFEST


def copy_parsed(project: Path) -> None:
    """Give a copy of the project what dbt parsed, and the profile with which that still holds.

    For parsing alone: dbt would read seeds where it first found them.
    """
    load_project()
    (project / "target").mkdir()
    with FileLock(CACHE / "lock", timeout=600):
        shutil.copy(CACHE / "dbt" / "partial_parse.msgpack", project / "target")
        shutil.copy(CACHE / "profiles.yml", project)


def raw_tables() -> dict[str, dict[str, str]]:
    """The raw contract: columns and types of each raw table, read from the macros that state it."""
    versions = _columns("version_columns")
    registry = yaml.safe_load((PROJECT_DIR / "ingestion/datasets.yml").read_text(encoding="utf-8"))
    tables = {
        f"{dataset['portal']}__{dataset['id'].replace('-', '_')}": versions
        for dataset in registry["datasets"]
    }
    return tables | {"_source_load": _columns("source_load_columns")}


def _columns(macro: str) -> dict[str, str]:
    text = (PROJECT_DIR / "macros" / f"{macro}.sql").read_text(encoding="utf-8")
    found = re.findall(r"'name': '(\w+)', 'data_type': (?:'(\w+)'|type_json\(\))", text)
    assert found, f"macros/{macro}.sql lists no columns that can be read"
    return {name: kind or "json" for name, kind in found}


def create_raw(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Any]) -> None:
    """Every raw table, empty."""
    connection.execute("create schema if not exists raw")
    for table, columns in tables.items():
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create table raw.{table} ({listed})")


def _compile(folder: Path) -> None:
    """Compile for a first build and, of what asks for its own table, for a later one.

    dbt's folder and profile stay where they are, so that it parses what changed alone.
    """
    from tests.mutations.harness import Marts  # it reads what is compiled here

    path = CACHE / f"{DATABASE}.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        create_raw(connection, raw_tables())
    _dbt()
    shutil.copy(CACHE / "dbt" / "manifest.json", folder / "first.json")
    shutil.copy(CACHE / "dbt" / SEMANTIC_MANIFEST, folder / SEMANTIC_MANIFEST)
    stateful = _stateful(folder)
    later = CACHE / f"later-{hashlib.sha256(json.dumps(stateful).encode()).hexdigest()[:16]}.json"
    if stateful and not later.exists():
        with duckdb.connect(str(path)) as connection:
            Marts(_read(folder), connection).build()
        _dbt("--select", "resource_type:snapshot", "config.materialized:incremental")
        manifest = json.loads((CACHE / "dbt" / "manifest.json").read_text(encoding="utf-8"))
        sql = {name: manifest["nodes"][name]["compiled_code"] for name in stateful["nodes"]}
        later.write_text(json.dumps(sql), encoding="utf-8")
    if stateful:
        shutil.copy(later, folder / "later.json")
    else:
        (folder / "later.json").write_text("{}", encoding="utf-8")
    path.unlink()


def _stateful(folder: Path) -> dict[str, Any]:
    """What the SQL of snapshots and incremental models follows from; empty where there is none."""
    nodes = json.loads((folder / "first.json").read_text(encoding="utf-8"))["nodes"]
    found = {
        name: node["raw_code"]
        for name, node in sorted(nodes.items())
        if node["resource_type"] == "snapshot"
        or node["config"].get("materialized") == "incremental"
    }
    macros = sorted((PROJECT_DIR / "macros").glob("*.sql"))
    return found and {"nodes": found, "macros": [path.read_text("utf-8") for path in macros]}


def _dbt(*arguments: str) -> None:
    database = json.dumps(str(CACHE / f"{DATABASE}.duckdb"))
    output = f"{{type: duckdb, path: {database}, schema: main, settings: {{TimeZone: UTC}}}}"
    (CACHE / "profiles.yml").write_text(
        f"paris_colleges: {{target: duckdb, outputs: {{duckdb: {output}}}}}\n", encoding="utf-8"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DBT_", "COLLEGES_"))
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ingestion.dbt", "--quiet", "compile", *arguments),
            *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(CACHE)),
            *("--target-path", str(CACHE / "dbt"), "--log-path", str(CACHE / "dbt")),
        ],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"dbt compile failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _forget_old() -> None:
    folders = [path.parent for path in CACHE.glob("*/first.json")]
    for path in sorted(folders, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def _read(folder: Path) -> Project:
    manifest = json.loads((folder / "first.json").read_text(encoding="utf-8"))
    later = folder / "later.json"
    later_sql = json.loads(later.read_text(encoding="utf-8")) if later.exists() else {}
    tables = raw_tables()
    built: dict[str, Node] = {}
    tests: dict[str, Node] = {}
    for node in _in_order(manifest["nodes"]):
        name = node["unique_id"]
        sql = node.get("compiled_code") or ""
        made = Node(
            node_id=name,
            name=node["name"],
            kind=node["resource_type"],
            relation=node.get("relation_name") or "",
            parents=tuple(p for p in node.get("depends_on", {}).get("nodes", []) if p in built),
            sources=tuple(table for table in tables if f'"{table}"' in sql),
            config=node["config"],
            sql=sql,
            later_sql=later_sql.get(name) or sql,
            not_null=_not_null(node),
            path=node["original_file_path"],
            config_types=node["config"].get("column_types") or {},
        )
        if made.kind == "test":
            tests[name] = made
        elif made.materialized != "ephemeral":
            built[name] = made
    return Project(built, tests, dict(_unit_tests(manifest)), tables)


def _in_order(nodes: Mapping[str, Any]) -> Iterator[Any]:
    """Seeds, models and snapshots so that each follows its parents, then the tests."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[Any]:
        if name in done or name not in nodes:
            return
        done.add(name)
        for parent in sorted(nodes[name].get("depends_on", {}).get("nodes", [])):
            yield from visit(parent)
        yield nodes[name]

    kinds = ("seed", "model", "snapshot")
    for name in sorted(nodes):
        if nodes[name]["resource_type"] in kinds:
            yield from visit(name)
    for name in sorted(nodes):
        if nodes[name]["resource_type"] == "test":
            yield nodes[name]


def _not_null(node: Mapping[str, Any]) -> tuple[str, ...]:
    named = [
        column
        for constraint in node.get("constraints") or []
        if constraint["type"] == "not_null"
        for column in constraint["columns"]
    ]
    return (
        *named,
        *(
            name
            for name, column in node.get("columns", {}).items()
            if any(c["type"] in ("not_null", "primary_key") for c in column.get("constraints", []))
        ),
    )


def _unit_tests(manifest: Mapping[str, Any]) -> Iterator[tuple[str, UnitTest]]:
    relations = {node["name"]: node.get("relation_name") for node in manifest["nodes"].values()}
    sources = {
        (source["source_name"], source["name"]): source["relation_name"]
        for source in manifest["sources"].values()
    }
    for name, test in manifest.get("unit_tests", {}).items():
        given: dict[str, tuple[Mapping[str, Any], ...] | str] = {}
        for entry in test["given"]:
            reference = re.findall(r"['\"]([^'\"]+)['\"]", entry["input"])
            is_source = entry["input"].strip().startswith("source")
            relation = sources[tuple(reference)] if is_source else relations[reference[-1]]
            rows = entry["rows"] or ()
            given[relation] = rows if isinstance(rows, str) else tuple(rows)
        (model,) = test["depends_on"]["nodes"]
        yield (
            name,
            UnitTest(
                name=test["name"],
                model=model,
                given=given,
                expect=tuple(test["expect"]["rows"] or ()),
                has_overrides=any((test.get("overrides") or {}).values()),
            ),
        )
