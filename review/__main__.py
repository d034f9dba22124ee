"""``python -m review``: build base and working tree side by side and report what differs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from review.build import (
    ReviewError,
    Side,
    build,
    checked_out,
    git,
    load_sample,
    merge_base,
    timed,
    write_docs,
)
from review.compare import Comparison, compare
from review.render import Report, render

PROJECT_DIR = Path(__file__).resolve().parent.parent


@click.command()
@click.option("--base", default="main", show_default=True, help="Branch or commit compared with.")
@click.option(
    "--raw",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Build from the raw schema of this DuckDB file instead of the synthetic sample.",
)
@click.option(
    "--out", default=PROJECT_DIR / "target" / "review", type=click.Path(path_type=Path),
    help="Where report.md, report.json and the builds go.",
)  # fmt: skip
@click.option("--docs", is_flag=True, help="Write docs.html and lineage.html too.")
@click.option("--artifacts-url", default="", help="Where the report will say these files are.")
@click.option(
    "--base-name",
    default="",
    envvar="REVIEW_BASE_NAME",
    help="What to call the base; BASE if not given.",
)
@click.option(
    "--head-name", default="", envvar="REVIEW_HEAD_NAME", help="What to call the working tree."
)
@click.option(
    "--head-commit",
    default="",
    envvar="REVIEW_HEAD_COMMIT",
    help="Its commit as its author knows it, where a merge of it is checked out.",
)
def main(
    base: str,
    raw: Path | None,
    out: Path,
    docs: bool,
    artifacts_url: str,
    base_name: str,
    head_name: str,
    head_commit: str,
) -> None:
    """Write what the working tree changes, compared with where it left BASE.

    Ends with 1 where the working tree does not build or a test fails, with 2 where the review
    itself cannot be made.
    """
    try:
        report = review(PROJECT_DIR, base, raw, out.resolve(), artifacts_url)
        report = replace(
            report,
            base_name=base_name or base,
            head_name=head_name,
            head_commit=head_commit[:10] or report.head_commit,
        )
        text = render(report)
        (out / "report.md").write_text(text, encoding="utf-8")
        (out / "report.json").write_text(
            json.dumps(_machine(report), indent=1, ensure_ascii=False), encoding="utf-8"
        )
        click.echo(text)
        if docs and not report.is_failed:
            for file in write_docs(PROJECT_DIR, out.resolve()):
                click.echo(f"wrote {file}", err=True)
    except ReviewError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    sys.exit(int(report.is_failed))


def review(project: Path, base: str, raw: Path | None, out: Path, artifacts_url: str) -> Report:
    """Build both sides and compare them.

    Raises:
        ReviewError: the review cannot be made.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    commit = merge_base(project, base)
    warehouse = out / "warehouse.duckdb"
    with timed(seconds, "raw"):
        _copy_raw(raw or load_sample(project, out), warehouse)
    with timed(seconds, "base"):
        base_side, base_missing = build_base(project, commit, warehouse, out)
    with timed(seconds, "PR"):
        pr_side = build_head(project, warehouse, out)
    with timed(seconds, "compare"):
        comparison = compare_in(warehouse, None if base_missing else base_side, pr_side)
    return Report(
        base_name=base,
        base_commit=commit,
        head_commit=pr_side.commit,
        raw="the raw data given" if raw else "the same synthetic sample",
        base=base_side,
        base_missing=base_missing,
        pr=pr_side,
        comparison=comparison,
        seconds=seconds,
        artifacts_url=artifacts_url,
    )


def build_base(project: Path, commit: str, warehouse: Path, out: Path) -> tuple[Side | None, str]:
    """The base as built, without its tests, and why nothing can be compared with it, if so."""
    with checked_out(project, commit) as folder:
        if not (folder / "dbt_project.yml").exists():
            return None, "The base has no dbt project."
        side = build(folder, "base", commit, warehouse, out, test=False)
        return side, _why_incomparable(side)


def build_head(project: Path, warehouse: Path, out: Path) -> Side:
    """The working tree as built and tested, uncommitted edits and all."""
    head = git(project, "rev-parse", "--short=10", "HEAD").decode().strip()
    head += " + uncommitted" if git(project, "status", "--porcelain") else ""
    return build(project, "pr", head, warehouse, out, test=True)


def compare_in(warehouse: Path, base: Side | None, pr: Side) -> Comparison:
    """What differs in the file both were built into."""
    import duckdb

    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return compare(base, pr, connection)


def _copy_raw(source: Path, warehouse: Path) -> None:
    """A fresh file with ``raw`` alone: what else the source holds is not under review."""
    import duckdb

    for file in (warehouse, warehouse.with_name(warehouse.name + ".wal")):
        file.unlink(missing_ok=True)
    with duckdb.connect(str(warehouse)) as connection:
        # Bound, not written into the statement: a path is data.
        connection.execute(f"attach {_literal(str(source))} as given (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'given' and schema_name = 'raw'"
        ).fetchall()
        connection.execute("create schema raw")
        for (table,) in tables:
            name = '"' + table.replace('"', '""') + '"'
            connection.execute(f"create table raw.{name} as from given.raw.{name}")
        connection.execute("detach given")
    if not tables:
        raise ReviewError(
            f"{source} has no tables in a schema raw: there is nothing to build from."
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _why_incomparable(base: Side) -> str:
    if base.manifest is None or base.problems:
        first = base.problems[0]
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


def _machine(report: Report) -> dict[str, object]:
    """What the report rests on, without the manifests."""

    def side(built: Side | None) -> dict[str, object] | None:
        if built is None:
            return None
        return {
            "commit": built.commit,
            "problems": [asdict(problem) for problem in built.problems],
            "warnings": list(built.warnings),
            "not_built": list(built.skipped),
        }

    comparison: Comparison = report.comparison
    return {
        "base": side(report.base),
        "base_missing": report.base_missing,
        "pr": side(report.pr),
        "is_same": not report.base_missing and comparison.is_same,
        "seconds": report.seconds,
        "comparison": asdict(comparison),
    }


if __name__ == "__main__":
    main()
