"""One review: both sides loaded, built and compared, on one set of raw data."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import duckdb

from review.build import Side, build, carry_over, tell_apart, write_profile
from review.compare import compare
from review.findings import Comparison, RawChange
from review.mentions import mentions
from review.problems import Problem
from review.processes import checked_out, git, merge_base, timed
from review.raw import compare_raw, interpreter, load_sample, loads_alike, put_raw
from review.report import Report

KEPT = 3
"""Built bases that are kept for the next review."""


def review(project: Path, base: str, raw: Path | None, out: Path) -> Report:
    """Build both sides and compare them.

    Args:
        project: the working tree under review.
        base: branch or commit; compared is where the working tree left it.
        raw: DuckDB file whose schema ``raw`` both are built from; None for the synthetic sample,
            which each side loads with its own code where that differs.
        out: folder for what is built.

    Raises:
        ReviewError: the review cannot be made.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    commit = merge_base(project, base)
    warehouse = out / "warehouse.duckdb"
    changed_raw: list[RawChange] = []
    with checked_out(project, commit) as folder:
        with timed(seconds, "raw"):
            python = interpreter(folder, project, out) if raw is None else sys.executable
            raw_pr = raw or load_sample(project, out)
            raw_base = raw_pr
            if raw is None and not loads_alike(folder, project):
                raw_base = load_sample(folder, out, python)
                changed_raw = compare_raw(raw_base, raw_pr)
        with timed(seconds, "base"):
            base_side, base_missing = build_base(folder, commit, raw_base, warehouse, out, python)
        with timed(seconds, "PR"):
            put_raw(raw_pr, warehouse)
            if base_side and not base_missing:
                carry_over(base_side, warehouse)
            pr_side = build_head(project, warehouse, out)
        if base_side and not base_missing:
            with timed(seconds, "tests of the base"):
                pr_side = tell_apart(folder, base_side, pr_side, out, python)
    with timed(seconds, "compare"):
        comparison = compare_in(
            warehouse, None if base_missing else base_side, pr_side, changed_raw
        )
    return Report(
        base_name=base,
        base_commit=commit,
        head_commit=pr_side.commit,
        raw="the raw data given" if raw else "the synthetic sample",
        base=base_side,
        base_missing=base_missing,
        pr=pr_side,
        comparison=comparison,
        seconds=seconds,
        mentions=mentions(project, pr_side.manifest, comparison.columns)
        if pr_side.manifest
        else {},
    )


def build_base(
    folder: Path,
    commit: str,
    raw: Path,
    warehouse: Path,
    out: Path,
    python: str = sys.executable,
) -> tuple[Side | None, str]:
    """The base as built into a fresh ``warehouse``, and why nothing can be compared with it, if so.

    Built once per commit, raw data and environment: the next review of the same takes a copy.
    """
    for file in (warehouse, warehouse.with_name(warehouse.name + ".wal")):
        file.unlink(missing_ok=True)
    if not (folder / "dbt_project.yml").exists():
        return None, "The base has no dbt project."
    stat = raw.stat()
    key = sha256(f"{commit} {raw} {stat.st_size} {stat.st_mtime_ns} {python}".encode())
    stored = out / f"base-{key.hexdigest()[:16]}.duckdb"
    described = stored.with_suffix(".json")
    if stored.exists() and described.exists():
        shutil.copy(stored, warehouse)
        stored.touch()
        kept = json.loads(described.read_text(encoding="utf-8"))
        write_profile(out / "base", warehouse)
        return Side(**kept), ""
    put_raw(raw, warehouse)
    side = build(folder, "base", commit, warehouse, out, test=False, python=python)
    if why := _why_incomparable(side):
        return side, why
    shutil.copy(warehouse, stored)
    described.write_text(json.dumps(asdict(side)), encoding="utf-8")
    bases = sorted(out.glob("base-*.duckdb"), key=lambda file: file.stat().st_mtime)
    for old in bases[:-KEPT]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return side, ""


def build_head(project: Path, warehouse: Path, out: Path) -> Side:
    """The working tree as built and tested, uncommitted edits and all."""
    head = git(project, "rev-parse", "--short=10", "HEAD").decode().strip()
    head += " + uncommitted" if git(project, "status", "--porcelain") else ""
    return build(project, "pr", head, warehouse, out, test=True)


def compare_in(
    warehouse: Path, base: Side | None, pr: Side, raw: list[RawChange] | None = None
) -> Comparison:
    """What differs in the file both were built into."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return compare(base, pr, connection, raw or [])


def _why_incomparable(base: Side) -> str:
    if base.manifest is None or base.problems:
        first: Problem = base.problems[0]
        place = f" ({first.file}{f':{first.line}' if first.line else ''})" if first.file else ""
        return f"The base does not build: {first.name}{place}\n{first.message}"
    schemas = {
        node["schema"]
        for node in base.manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed", "snapshot"}
    }
    if strange := sorted(schema for schema in schemas if not schema.startswith("base_")):
        return (
            "The base does not put COLLEGES_SCHEMA_PREFIX before its schemas, so its tables would "
            f"be the working tree's own: {', '.join(strange)}"
        )
    return ""
