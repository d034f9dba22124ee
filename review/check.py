"""``make check``: what a model change needs, in under a minute once the base is built.

Lints what changed, parses, builds what changed and everything after it on the synthetic sample
with its tests, and looks whether every definition has its French. What is not changed is taken
from the base as the review builds and keeps it. A common mistake gets one sentence.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from review.build import Side, build_selected
from review.processes import ReviewError, checked_out, git, merge_base
from review.raw import load_sample, put_raw
from review.sides import build_base

PROJECT_DIR = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SQL_FOLDERS = ("models/", "tests/data/", "snapshots/")


@dataclass(frozen=True)
class Checked:
    """Outcome of a step: what is wrong, or a word on what was looked at."""

    wrong: str = ""
    said: str = ""


def changed_files(project: Path, commit: str) -> list[str]:
    """Files that differ from ``commit`` or are new, and exist."""
    listed = git(project, "diff", "--name-only", "-z", commit, "--").decode().split("\0")
    listed += git(project, "ls-files", "--others", "--exclude-standard", "-z").decode().split("\0")
    return sorted({file for file in listed if file and (project / file).is_file()})


def lint(project: Path, files: Sequence[str]) -> Checked:
    """Each changed file by the linter of its kind, as ``make lint`` looks at all."""
    sql = [f for f in files if f.endswith(".sql") and f.startswith(SQL_FOLDERS)]
    yml = [f for f in files if f.endswith((".yml", ".yaml"))]
    python = [f for f in files if f.endswith(".py")]
    commands = [
        (sql, ["sqlfluff", "lint", "--disable-progress-bar"]),
        (yml, ["yamllint", "--strict", "--format", "parsable"]),
        (python, ["ruff", "check", "--quiet"]),
        (python, ["ruff", "format", "--quiet", "--check"]),
    ]
    wrong = []
    for named, (tool, *options) in commands:
        if named:
            done = subprocess.run(  # noqa: S603
                [str(BIN / tool), *options, *named],
                cwd=project, capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            if done.returncode:
                told = (done.stdout + done.stderr).strip()
                # What yamllint finds after the place where reading ended means nothing.
                unread = [line for line in told.splitlines() if line.endswith("(syntax)")]
                wrong.append("\n".join(unread) or told)
    return Checked("\n".join(wrong), f"{len(sql) + len(yml) + len(python)} files")


def yml_beside_each_model(project: Path) -> Checked:
    """A model without its yml fails in dbt with a page; here in a sentence."""
    folders = [project / "models" / layer for layer in ("staging", "intermediate", "marts")]
    missing = [
        str(sql.relative_to(project))
        for folder in folders
        for sql in sorted(folder.rglob("*.sql"))
        if not sql.with_suffix(".yml").exists() and "legacy" not in sql.parts
    ]
    return Checked(
        "\n".join(
            f"{file} has no {Path(file).with_suffix('.yml').name} beside it. Write one that names, "
            f"types and describes its columns: make new-model NAME={Path(file).stem} "
            f"LAYER={Path(file).parts[1]} prints one"
            for file in missing
        )
    )


def french(manifest: dict[str, object]) -> Checked:
    """Every definition the dashboard shows has its French."""
    from dashboard import export

    nodes = manifest["nodes"]
    assert isinstance(nodes, dict)
    translated = json.loads(export.FRENCH_FILE.read_text(encoding="utf-8"))
    wrong = []
    for table in (*export.TABLES.values(), export.DISTANCES):
        node = nodes.get(f"model.{export.PROJECT}.{table.model}")
        if node is None:
            continue
        described = {table.model: node["description"]}
        for column in table.columns:
            entry = node["columns"].get(column, {})
            described[f"{table.model}.{column}"] = entry.get("description", "")
        for name, text in described.items():
            english = " ".join(text.split())
            if english and english not in translated:
                line = json.dumps({english: "…"}, ensure_ascii=False)[1:-1]
                wrong.append(
                    f"{name} is described anew and has no French. Put it into "
                    f"dashboard/definitions.fr.json: {line}"
                )
    return Checked("\n".join(dict.fromkeys(wrong)))


def build_what_changed(project: Path, base: str, out: Path) -> tuple[Checked, Side]:
    """What differs from the base, and everything after it, built and tested on the sample."""
    out.mkdir(parents=True, exist_ok=True)
    commit = merge_base(project, base)
    warehouse = out / "check.duckdb"
    raw = load_sample(project, out)
    with checked_out(project, commit) as folder:
        base_side, missing = build_base(folder, commit, raw, warehouse, out)
    if base_side is None or missing:
        raise ReviewError(missing)
    put_raw(raw, warehouse)
    state = out / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    (state / "manifest.json").write_text(json.dumps(base_side.manifest), encoding="utf-8")
    side = build_selected(project, warehouse, out, state)
    wrong = []
    for problem in side.problems:
        place = f"{problem.file or ''}{f':{problem.line}' if problem.line else ''}"
        wrong.append(f"{problem.name} {place}\n  {problem.hint or problem.message}")
        wrong += ["    " + " | ".join(row) for row in problem.sample]
    return Checked("\n".join(wrong), f"{len(side.seconds)} tables built and tested"), side


@click.command()
@click.option("--base", default="main", show_default=True, help="Branch or commit compared with.")
@click.option("--project", default=PROJECT_DIR, type=click.Path(path_type=Path), hidden=True)
def main(base: str, project: Path) -> None:
    """Check a model change: lint, parse, build, test, definitions. Ends with 1 where one fails."""
    is_well = True
    side: Side | None = None

    def built() -> Checked:
        nonlocal side
        checked, side = build_what_changed(project, base, project / "target" / "review")
        return checked

    def translated() -> Checked:
        return french(side.manifest) if side and side.manifest else Checked()

    steps: list[tuple[str, Callable[[], Checked]]] = [
        ("yml", lambda: yml_beside_each_model(project)),
        ("lint", lambda: lint(project, changed_files(project, merge_base(project, base)))),
        ("build and test", built),
        ("French", translated),
    ]
    for name, step in steps:
        started = time.monotonic()
        try:
            checked = step()
        except ReviewError as error:
            checked = Checked(str(error))
        is_well = is_well and not checked.wrong
        mark = "✗" if checked.wrong else "✓"
        seconds = time.monotonic() - started
        click.echo(f"{mark} {name} {checked.said} ({seconds:.0f} s)")
        if checked.wrong:
            click.echo(checked.wrong)
    sys.exit(int(not is_well))


if __name__ == "__main__":
    main()
