"""Builds the base commit and the working tree into one DuckDB file, and tests what was built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from review.problems import Problem, explain, locate, plain
from review.processes import ReviewError, environment, run

Manifest = dict[str, Any]
SideName = Literal["base", "pr"]

_PROFILE = """\
paris_colleges:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: {path}
      schema: main
      threads: {threads}
      settings: {{TimeZone: UTC}}
"""
SHOWN_ROWS = 5
"""Rows shown of what a failing test found."""


@dataclass(frozen=True)
class Side:
    """One side of the comparison as it was built."""

    name: SideName
    commit: str
    manifest: Manifest | None
    """None where the project could not be parsed."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Build time by unique id."""
    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()
    """Names of tests that warn."""
    warnings_on_base: Sequence[str] = ()
    """Those of them that warn or fail on the base too."""
    skipped: Sequence[str] = ()
    """Names of what was not built because something before it failed."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """``dbt_project.yml`` as it is read."""


def build(
    project: Path,
    name: SideName,
    commit: str,
    warehouse: Path,
    work: Path,
    *,
    test: bool,
    python: str = sys.executable,
) -> Side:
    """Build one side into ``warehouse`` under schemas that begin with its name.

    Models are built before any test is run: what a failing test would keep from being built is
    what a reviewer wants to see.

    Args:
        project: folder of the dbt project.
        name: which side it is.
        commit: what to call its state in the report.
        warehouse: DuckDB file that has the schema ``raw``.
        work: folder for dbt's artifacts.
        test: run the tests too.
        python: interpreter of the environment to build with.
    """
    target = work / name
    parsed = target / "partial_parse.msgpack"
    # The base's files lie elsewhere each time; those of the working tree do not.
    kept = parsed.read_bytes() if name == "pr" and parsed.exists() else b""
    shutil.rmtree(target, ignore_errors=True)
    write_profile(target, warehouse)
    if kept:
        parsed.write_bytes(kept)
    side = _Building(project, name, target, python)
    side.build(test=test)
    settings = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    return Side(
        name=name,
        commit=commit,
        manifest=side.manifest,
        seconds=side.seconds,
        problems=tuple(side.problems),
        warnings=tuple(side.warnings),
        skipped=tuple(side.skipped),
        settings=settings if isinstance(settings, dict) else {},
    )


def write_profile(target: Path, warehouse: Path) -> None:
    """A profile that knows nothing but this file."""
    target.mkdir(parents=True, exist_ok=True)
    profile = _PROFILE.format(path=json.dumps(str(warehouse)), threads=os.cpu_count() or 2)
    (target / "profiles.yml").write_text(profile, encoding="utf-8")


def carry_over(base: Side, warehouse: Path) -> None:
    """Give the working tree the history that production has: the base's snapshots and increments.

    The build that follows then changes them as the next run after the merge would.
    """
    import duckdb

    kept = [
        node
        for node in (base.manifest or {"nodes": {}})["nodes"].values()
        if node["unique_id"] in base.seconds
        and node["config"].get("materialized") in {"snapshot", "incremental"}
    ]
    with duckdb.connect(str(warehouse)) as connection:
        for node in kept:
            schema = "pr_" + node["schema"].removeprefix("base_")
            table = node["alias"] or node["name"]
            connection.execute(f'create schema if not exists "{schema}"')
            connection.execute(
                f'create or replace table "{schema}"."{table}" as from "{node["schema"]}"."{table}"'
            )


def tell_apart(
    project: Path, base: Side, pr: Side, work: Path, python: str = sys.executable
) -> Side:
    """The working tree's side with what fails or warns on the base already marked as such.

    Of the base, those tests alone are run.
    """
    asked = [p.name for p in pr.problems if p.kind in {"test", "unit_test"}]
    asked += pr.warnings
    known = {
        node["name"]
        for section in ("nodes", "unit_tests")
        for node in (base.manifest or {}).get(section, {}).values()
    }
    if not (asked := [name for name in asked if name in known]):
        return pr
    side = _Building(project, "base", work / "base", python)
    side.test(asked)
    failed = {problem.name for problem in side.problems}
    return replace(
        pr,
        problems=[replace(p, is_on_base=p.name in failed) for p in pr.problems],
        warnings_on_base=sorted(set(side.warnings) | failed),
    )


def build_selected(project: Path, warehouse: Path, work: Path, state: Path) -> Side:
    """Build and test what differs from ``state`` and everything after it, over the base's tables.

    Args:
        project: folder of the dbt project.
        warehouse: DuckDB file with ``raw`` and the base as built; what is selected replaces there.
        work: folder for dbt's artifacts.
        state: folder with the base's manifest.
    """
    target = work / "check"
    write_profile(target, warehouse)
    side = _Building(project, "base", target, sys.executable)
    (target / "run_results.json").unlink(missing_ok=True)
    selected = ("--select", "state:modified+", "--state", str(state))
    done = side.run("-m", "ingestion.dbt", "--log-format", "json", "build", *selected)
    results = target / "run_results.json"
    if results.exists() or done.returncode:
        side.note(done, [results])
    else:  # nothing differs
        side.manifest = json.loads((target / "manifest.json").read_text("utf-8"))
    return Side("pr", "", side.manifest, side.seconds, side.problems, side.warnings)


def write_docs(project: Path, work: Path) -> list[Path]:
    """dbt's docs of the working tree as one file and, where dbt-colibri is installed, its lineage.

    Raises:
        ReviewError: the docs cannot be written.
    """
    side = _Building(project, "pr", work / "pr", sys.executable)
    done = side.run("-m", "ingestion.dbt", "docs", "generate", "--static")
    if done.returncode:
        raise ReviewError(f"dbt docs generate failed:\n{done.stdout[-3000:]}")
    written = [Path(shutil.copy(side.target / "static_index.html", work / "docs.html"))]
    colibri = project / ".venv-artifacts" / "bin" / "colibri"
    if colibri.exists():
        lineage = work / "lineage"
        done = run(
            (
                *(str(colibri), "generate", "--disable-telemetry", "--output-dir", str(lineage)),
                *("--manifest", str(side.target / "manifest.json")),
                *("--catalog", str(side.target / "catalog.json")),
            ),
            project,
            environment(),
        )
        if done.returncode:
            raise ReviewError(f"colibri generate failed:\n{done.stderr[-3000:]}")
        written.append(Path(shutil.copy(lineage / "index.html", work / "lineage.html")))
    return written


class _Building:
    """dbt at work on one side, and what came of it so far."""

    def __init__(self, project: Path, name: SideName, target: Path, python: str) -> None:
        self.project = project
        self.python = python
        self.name = name
        self.target = target
        self.manifest: Manifest | None = None
        self.seconds: dict[str, float] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.skipped: list[str] = []
        self.not_built: set[str] = set()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python with the options every command of dbt takes here."""
        command = (
            *(self.python, *command),
            *("--project-dir", str(self.project), "--profiles-dir", str(self.target)),
            *("--target-path", str(self.target), "--log-path", str(self.target / "logs")),
        )
        settings = environment(
            COLLEGES_SCHEMA_PREFIX=self.name, DO_NOT_TRACK="1", COLLEGES_TARGET="duckdb"
        )
        return run(command, self.project, settings)

    def build(self, *, test: bool) -> None:
        self._run_and_note(["build", "test"] if test else ["build"])

    def test(self, names: Collection[str]) -> None:
        """Run some tests alone on what was built before."""
        self._run_and_note(["test"], *names)

    def _run_and_note(self, commands: Sequence[str], *selected: str) -> None:
        # -P: the folder of the script is no place to import from
        script = Path(__file__).with_name("dbt_commands.py")
        wanted = ",".join(commands)
        done = self.run("-P", str(script), str(self.target), wanted, ",".join(selected))
        results = [self.target / f"results-{command}.json" for command in commands]
        self.note(done, results)

    def note(self, done: subprocess.CompletedProcess[str], results: Sequence[Path]) -> None:
        """What came of a command: from its results or, where there are none, what it said."""
        if not results[0].exists():
            self._note_unparsed(done)
            return
        manifest: Manifest = json.loads((self.target / "manifest.json").read_text("utf-8"))
        self.manifest = manifest
        for file in filter(Path.exists, results):
            for result in json.loads(file.read_text("utf-8"))["results"]:
                self._note(manifest, result)

    def _note(self, manifest: Manifest, result: dict[str, Any]) -> None:
        unique_id = result["unique_id"]
        node = manifest["nodes"].get(unique_id) or manifest["unit_tests"].get(unique_id) or {}
        name = node.get("name", unique_id)
        is_test = unique_id.startswith(("test.", "unit_test."))
        if is_test and self.not_built & set(node.get("depends_on", {}).get("nodes", [])):
            # It fails for want of a table: the table's own failure is what is to be said.
            self.skipped.append(name)
            return
        match result["status"]:
            case "success" | "pass":
                if node.get("resource_type") in {"model", "seed", "snapshot"}:
                    self.seconds[unique_id] = result["execution_time"]
            case "warn":
                self.warnings.append(name)
            case "no-op":  # an exposure, say
                pass
            case "skipped":
                self.skipped.append(name)
                self.not_built.add(unique_id)
            case _:
                self.not_built.add(unique_id)
                message = plain(result.get("message") or "no message")
                file, line = locate(self.project, node, message)
                kind = unique_id.split(".")[0]
                hint = explain(self.project, message, node)
                problem = Problem(name, kind, file, line, message, hint)
                if kind == "test":
                    problem = replace(problem, sample=self._failing_rows(result))
                self.problems.append(problem)

    def _failing_rows(self, result: Mapping[str, Any]) -> Sequence[Sequence[str]]:
        """First rows that a failing test selects, with their header; none where it cannot run."""
        import duckdb

        query = (result.get("compiled_code") or "").strip().rstrip(";")
        if result["status"] != "fail" or not query:
            return ()
        profile = yaml.safe_load((self.target / "profiles.yml").read_text(encoding="utf-8"))
        file = profile["paris_colleges"]["outputs"]["duckdb"]["path"]
        try:
            with duckdb.connect(file, read_only=True) as connection:
                found = connection.execute(
                    f"select columns(*)::varchar from ({query}\n) limit {SHOWN_ROWS}"  # noqa: S608
                )
                header = [column[0] for column in found.description or ()]
                rows = found.fetchall()
        except duckdb.Error:
            return ()
        return [header, *(["null" if v is None else v for v in row] for row in rows)]

    def _note_unparsed(self, done: subprocess.CompletedProcess[str]) -> None:
        """dbt stopped before it ran anything: what it logged as errors is all there is."""
        said = []
        for line in done.stdout.splitlines():
            try:
                info = json.loads(line)["info"]
            except (ValueError, KeyError, TypeError):
                continue
            if info.get("level") == "error" and info.get("msg"):
                said.append(plain(info["msg"]))
        message = "\n".join(said) or done.stderr[-2000:] or f"dbt ended with {done.returncode}"
        file, line_number = locate(self.project, {}, message)
        hint = explain(self.project, message, {})
        self.problems.append(Problem("dbt", "project", file, line_number, message, hint))
