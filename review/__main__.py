"""``python -m review``: what a working tree does to the models, as a report and as an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from review.build import Side, write_docs
from review.processes import ReviewError
from review.render import annotated, render
from review.report import Report
from review.sides import review

PROJECT_DIR = Path(__file__).resolve().parent.parent


@click.command(context_settings={"auto_envvar_prefix": "REVIEW"})
@click.option("--base", default="main", show_default=True, help="Branch or commit compared with.")
@click.option(
    "--raw",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Build from the raw schema of this DuckDB file instead of the synthetic sample.",
)
@click.option("--sample", is_flag=True, help="With --raw: the synthetic sample too, after it.")
@click.option(
    "--project",
    default=PROJECT_DIR,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The working tree under review, where it is not this code's own.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of report.md and the builds.")
@click.option("--docs", is_flag=True, help="Write docs.html and lineage.html too.")
@click.option("--artifacts-url", default="", help="Where the report will say these files are.")
@click.option("--raw-name", default="the raw data given", help="What to call the data of --raw.")
@click.option("--base-name", default="", help="What to call the base; BASE if not given.")
@click.option("--head-name", default="", help="What to call the working tree.")
@click.option("--head-commit", default="", help="Its commit as its author knows it.")
def main(
    base: str,
    raw: Path | None,
    sample: bool,
    project: Path,
    out: Path | None,
    docs: bool,
    artifacts_url: str,
    raw_name: str,
    base_name: str,
    head_name: str,
    head_commit: str,
) -> None:
    """Write what the working tree changes, compared with where it left BASE.

    Each option can be given as a variable too: REVIEW_BASE, REVIEW_HEAD_NAME, ... Ends with 1
    where the working tree does not build or a test fails, with 2 where the review itself cannot
    be made.
    """
    project = project.resolve()
    out = (out or project / "target" / "review").resolve()
    reports: list[Report] = []
    try:
        for data in [raw, None] if raw and sample else [raw]:
            folder = out / "sample" if reports else out
            report = review(project, base, data.resolve() if data else None, folder)
            reports.append(
                replace(
                    report,
                    base_name=base_name or base,
                    head_name=head_name,
                    head_commit=head_commit[:10] or report.head_commit,
                    raw=raw_name if data else report.raw,
                )
            )
        is_failed = any(report.is_failed for report in reports)
        written: list[Path] = []
        if docs and reports[0].pr.manifest is not None and not reports[0].is_unbuilt:
            written = write_docs(project, out)
        reports[0] = replace(
            reports[0], artifacts_url=artifacts_url, artifacts=[file.name for file in written]
        )
        text = render(reports)
        (out / "report.md").write_text(text, encoding="utf-8")
        (out / "report.json").write_text(_machine(reports), encoding="utf-8")
        click.echo(text)
        if os.environ.get("GITHUB_ACTIONS"):
            click.echo("\n".join(annotated(reports)))
    except ReviewError as error:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.md").write_text(
            f"## ❌ The review could not be made\n\n```text\n{error}\n```\n", encoding="utf-8"
        )
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    sys.exit(int(is_failed))


def _machine(reports: Sequence[Report]) -> str:
    """What the reports rest on, without the manifests; that of other data below ``also``."""

    def side(built: Side | None) -> dict[str, object] | None:
        if built is None:
            return None
        return {
            "commit": built.commit,
            "problems": [asdict(problem) for problem in built.problems],
            "warnings": list(built.warnings),
            "not_built": list(built.skipped),
        }

    described = [
        {
            "raw": report.raw,
            "base": side(report.base),
            "base_missing": report.base_missing,
            "pr": side(report.pr),
            "is_same": not report.base_missing and report.comparison.is_same,
            "seconds": report.seconds,
            "comparison": asdict(report.comparison),
        }
        for report in reports
    ]
    return json.dumps({**described[0], "also": described[1:]}, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
